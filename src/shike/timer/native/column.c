/* Places and their tokens. A token is a column's age and number with the slot below them, so an insertion makes no
 * object, and cancelling is one store. A number is given out again under another age; so no token ever comes twice. */

#include "calendar.h"

#include <string.h>

int
make_room(void *array, uint32_t *room, uint32_t needed, size_t size)
{
    if (needed <= *room)
        return 0;
    uint64_t wanted = (uint64_t)*room * 2 > needed ? (uint64_t)*room * 2 : (needed < 8 ? 8 : needed);
    if (wanted > UINT32_MAX || wanted * size > PY_SSIZE_T_MAX)
        return -1;
    void *grown, *old;
    memcpy(&old, array, sizeof old);
    grown = PyMem_Realloc(old, wanted * size);
    if (grown == NULL)
        return -1;
    memcpy(array, &grown, sizeof grown);
    *room = (uint32_t)wanted;
    return 0;
}

static int
home_take(Calendar *queue, uint32_t *number)
{
    if (queue->spare) {
        *number = queue->spare - 1;
        queue->spare = queue->homes[*number].spare;
        return 0;
    }
    if (queue->homes_used >> NUMBER_BITS || make_room(&queue->homes, &queue->homes_room, queue->homes_used + 1, sizeof(Home)))
        return -1;
    *number = queue->homes_used++;
    queue->homes[*number] = (Home){NULL, 0, 0};
    return 0;
}

static void
home_leave(Calendar *queue, uint32_t number)
{
    Home *home = &queue->homes[number];
    home->column = NULL;
    if (++home->age >> AGE_BITS == 0) { /* else it is retired: no token of it may come again */
        home->spare = queue->spare;
        queue->spare = number + 1;
    }
}

static PyObject **
block_make(unsigned capacity, unsigned width, void **offsets)
{
    PyObject **items = PyMem_Malloc(capacity * (sizeof(PyObject *) + width));
    if (items != NULL)
        *offsets = items + capacity;
    return items;
}

Column *
column_open(Calendar *queue, Bucket *bucket)
{
    uint32_t number;
    Column *column = PyMem_Calloc(1, sizeof(Column));
    if (column == NULL)
        return NULL;
    unsigned size = bucket ? bucket->size : COLUMN_MAX; /* as many as there are, so that few places stay empty */
    column->capacity = size < COLUMN_MIN ? COLUMN_MIN : size > COLUMN_MAX ? COLUMN_MAX : (uint8_t)size;
    unsigned shift = bucket ? queue->shifts[bucket->level] : 0;
    column->width = shift <= 16 ? 2 : shift <= 32 ? 4 : 8;
    column->items = block_make(column->capacity, column->width, &column->offsets);
    if (column->items == NULL || home_take(queue, &number) < 0) {
        PyMem_Free(column->items);
        PyMem_Free(column);
        return NULL;
    }
    column->number = number;
    queue->homes[number].column = column;
    column->bucket = bucket;
    if (bucket) {
        column->before = bucket->last;
        *(bucket->last ? &bucket->last->after : &bucket->first) = column;
        bucket->last = column;
    }
    return column;
}

/* Out of its bucket; its tokens stay good. */
void
column_leave(Column *column)
{
    Bucket *bucket = column->bucket;
    if (bucket == NULL)
        return;
    *(column->before ? &column->before->after : &bucket->first) = column->after;
    *(column->after ? &column->after->before : &bucket->last) = column->before;
    bucket->size -= column->used;
    column->bucket = NULL;
    column->before = column->after = NULL;
}

static void
column_close(Calendar *queue, Column *column)
{
    Bucket *bucket = column->bucket;
    column_leave(column);
    if (bucket)
        bucket_prune(queue, bucket);
    if (queue->late_column == column)
        queue->late_column = NULL;
    home_leave(queue, column->number);
    PyMem_Free(column->kept);
    PyMem_Free(column->items);
    PyMem_Free(column);
}

static Instant
column_offset(const Column *column, unsigned place)
{
    switch (column->width) {
    case 2: return ((uint16_t *)column->offsets)[place];
    case 4: return ((uint32_t *)column->offsets)[place];
    default: return ((uint64_t *)column->offsets)[place];
    }
}

static void
offset_set(Column *column, unsigned place, Instant offset)
{
    switch (column->width) {
    case 2: ((uint16_t *)column->offsets)[place] = (uint16_t)offset; break;
    case 4: ((uint32_t *)column->offsets)[place] = (uint32_t)offset; break;
    default: ((uint64_t *)column->offsets)[place] = offset;
    }
}

static Token
column_token(const Calendar *queue, const Column *column, unsigned place)
{
    Token above = (Token)queue->homes[column->number].age << NUMBER_BITS | column->number;
    return above << SLOT_BITS | (column->kept ? column->kept[place] : place);
}

Token
column_first(const Calendar *queue, const Column *column)
{
    unsigned place = 0;
    while (column->items[place] == NULL) /* a column goes when all in it are dead */
        place++;
    return column_token(queue, column, place);
}

/* There has to be room; the column takes a reference of its own. */
Token
column_append(Calendar *queue, Column *column, Instant offset, PyObject *item)
{
    unsigned place = column->used++;
    assert(place < column->capacity && column->kept == NULL);
    column->items[place] = Py_NewRef(item);
    offset_set(column, place, offset);
    column->live++;
    if (column->bucket)
        column->bucket->size++;
    queue->live++;
    return column_token(queue, column, place);
}

/* Give back the places of the dead. Without memory they stay. */
static void
column_squeeze(Column *column)
{
    void *offsets;
    uint8_t *kept = PyMem_Malloc(column->live);
    PyObject **items = block_make(column->live, column->width, &offsets);
    if (kept == NULL || items == NULL) {
        PyMem_Free(kept);
        PyMem_Free(items);
        return;
    }
    unsigned to = 0;
    for (unsigned place = 0; place < column->used; place++) {
        if (column->items[place] == NULL)
            continue;
        items[to] = column->items[place];
        memcpy((char *)offsets + to * column->width, (char *)column->offsets + place * column->width, column->width);
        kept[to++] = column->kept ? column->kept[place] : (uint8_t)place;
    }
    assert(to == column->live);
    if (column->bucket)
        column->bucket->size -= column->used - to;
    PyMem_Free(column->items);
    PyMem_Free(column->kept);
    column->items = items;
    column->offsets = offsets;
    column->kept = kept;
    column->used = column->capacity = column->live;
}

static Column *
place_find(const Calendar *queue, Token token, unsigned *place)
{
    uint64_t number = (uint64_t)token >> SLOT_BITS & ((1u << NUMBER_BITS) - 1);
    if (token < 0 || number >= queue->homes_used)
        return NULL;
    Column *column = queue->homes[number].column;
    if (column == NULL || queue->homes[number].age != (uint64_t)token >> (SLOT_BITS + NUMBER_BITS))
        return NULL;
    unsigned slot = token & (COLUMN_MAX - 1), low = 0, high = column->used;
    if (column->kept == NULL)
        low = slot;
    while (column->kept && low < high) {
        unsigned middle = (low + high) / 2;
        if (column->kept[middle] < slot)
            low = middle + 1;
        else
            high = middle;
    }
    if (low >= column->used || (column->kept && column->kept[low] != slot) || column->items[low] == NULL)
        return NULL;
    *place = low;
    return column;
}

PyObject *
place_item(const Calendar *queue, Token token)
{
    unsigned place;
    Column *column = place_find(queue, token, &place);
    return column ? column->items[place] : NULL;
}

PyObject *
place_take(Calendar *queue, Token token)
{
    unsigned place;
    Column *column = place_find(queue, token, &place);
    if (column == NULL)
        return NULL;
    PyObject *item = column->items[place];
    column->items[place] = NULL;
    queue->live--;
    if (--column->live == 0)
        column_close(queue, column);
    else if (column->used - column->live > column->live && column->used - column->live >= DEAD_MIN)
        column_squeeze(column);
    return item;
}

Walk
walk_over(const Bucket *bucket)
{
    return (Walk){bucket, bucket->first, NULL, 0, 0};
}

bool
walk_on(const Calendar *queue, Walk *walk, Entry *entry)
{
    while (walk->handed < walk->bucket->handed_count) {
        *entry = walk->bucket->handed[walk->handed++];
        if (place_item(queue, entry->token))
            return true;
    }
    for (; walk->column != walk->end; walk->column = walk->column->after, walk->place = 0) {
        while (walk->place < walk->column->used) {
            unsigned place = walk->place++;
            if (walk->column->items[place] == NULL)
                continue;
            entry->when = walk->bucket->start + column_offset(walk->column, place);
            entry->token = column_token(queue, walk->column, place);
            return true;
        }
    }
    return false;
}
