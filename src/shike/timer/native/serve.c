/* The order of what is due: the first bucket sorted into a run, and beside it a heap of what was inserted too late to be
 * in a bucket. Of two with the same time the run's is older. */

#include "calendar.h"

#include <string.h>

enum { CHUNK = 8 }; /* below so many, insertion beats merging */

static void
insertion_sort(Entry *entries, size_t size)
{
    for (size_t next = 1; next < size; next++) {
        Entry entry = entries[next];
        size_t to = next;
        for (; to > 0 && entries[to - 1].when > entry.when; to--)
            entries[to] = entries[to - 1];
        entries[to] = entry;
    }
}

static void
merge(const Entry *from, Entry *to, size_t left, size_t middle, size_t end)
{
    size_t right = middle;
    for (size_t place = left; place < end; place++) {
        bool is_left = left < middle && (right >= end || from[left].when <= from[right].when);
        to[place] = is_left ? from[left++] : from[right++];
    }
}

/* Stable, so that first in is first out. `spare` has room for as many. */
void
entries_sort(Entry *entries, size_t size, Entry *spare)
{
    size_t sorted = 1;
    while (sorted < size && entries[sorted - 1].when <= entries[sorted].when)
        sorted++;
    if (sorted >= size)
        return; /* what was read ahead comes in order */
    for (size_t at = 0; at < size; at += CHUNK)
        insertion_sort(entries + at, size - at < CHUNK ? size - at : CHUNK);
    Entry *from = entries, *to = spare;
    for (size_t width = CHUNK; width < size; width *= 2) {
        for (size_t left = 0; left < size; left += 2 * width) {
            size_t middle = left + width < size ? left + width : size;
            merge(from, to, left, middle, middle + width < size ? middle + width : size);
        }
        Entry *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != entries)
        memcpy(entries, from, size * sizeof(Entry));
}

/* What was inserted before the frontier. */

static bool
is_before(const Late *one, const Late *other)
{
    return one->when < other->when || (one->when == other->when && one->order < other->order);
}

static void
late_sink(Calendar *queue, uint32_t place)
{
    Late moved = queue->late[place];
    for (uint32_t child; (child = 2 * place + 1) < queue->late_size; place = child) {
        if (child + 1 < queue->late_size && is_before(&queue->late[child + 1], &queue->late[child]))
            child++;
        if (is_before(&moved, &queue->late[child]))
            break;
        queue->late[place] = queue->late[child];
    }
    queue->late[place] = moved;
}

static void
late_drop_first(Calendar *queue)
{
    queue->late[0] = queue->late[--queue->late_size];
    if (queue->late_size > 0)
        late_sink(queue, 0);
}

static void
late_sweep(Calendar *queue)
{
    uint32_t kept = 0;
    for (uint32_t place = 0; place < queue->late_size; place++)
        if (place_item(queue, queue->late[place].token))
            queue->late[kept++] = queue->late[place];
    queue->late_size = kept;
    for (uint32_t place = kept / 2; place-- > 0;)
        late_sink(queue, place);
    queue->late_max = 2 * kept > LATE_DEAD_MIN ? 2 * kept : LATE_DEAD_MIN;
}

static Token
late_put(Calendar *queue, Instant when, PyObject *item)
{
    Column *column = queue->late_column;
    if (queue->late_size >= queue->late_max)
        late_sweep(queue);
    if (make_room(&queue->late, &queue->late_room, queue->late_size + 1, sizeof(Late)) < 0)
        return -1;
    if (column == NULL || column->kept || column->used == column->capacity)
        column = queue->late_column = column_open(queue, NULL);
    if (column == NULL)
        return -1;
    Late late = {when, queue->late_order++, column_append(queue, column, 0, item)};
    uint32_t place = queue->late_size++;
    for (; place > 0 && is_before(&late, &queue->late[(place - 1) / 2]); place = (place - 1) / 2)
        queue->late[place] = queue->late[(place - 1) / 2];
    queue->late[place] = late;
    return late.token;
}

/* Putting in. `hint` is the bucket that was used last, or NULL. */
Token
queue_put(Calendar *queue, Instant when, PyObject *item, Bucket **hint)
{
    if (when < queue->frontier)
        return late_put(queue, when, item);
    Bucket *bucket = *hint;
    if (bucket == NULL || !bucket_takes(queue, bucket, when))
        bucket = *hint = bucket_for(queue, when);
    if (bucket == NULL)
        return -1;
    Column *column = bucket->last;
    if (column == NULL || column->kept || column->used == column->capacity)
        column = column_open(queue, bucket);
    if (column == NULL) {
        *hint = NULL;
        bucket_prune(queue, bucket);
        return -1;
    }
    return column_append(queue, column, when - bucket->start, item);
}

/* Taking out. */

/* Sort a bucket into the run, which is empty. One tick may hold any number, in order already: of it only one column is
 * taken at a time, and later ones are appended. */
static int
run_open(Calendar *queue, Bucket *bucket)
{
    unsigned shift = queue->shifts[bucket->level];
    Walk walk = walk_over(bucket);
    uint32_t places = 2 * (bucket->size + bucket->handed_count); /* to sort them takes as much again */
    if (shift == 0) {
        walk.end = bucket->handed_count ? bucket->first : bucket->first->after;
        places = bucket->handed_count ? bucket->handed_count : COLUMN_MAX;
    }
    const Column *end = walk.end;
    if (make_room(&queue->run, &queue->run_room, places, sizeof(Entry)) < 0)
        return -1;
    queue->run_position = queue->run_size = 0;
    while (walk_on(queue, &walk, &queue->run[queue->run_size]))
        queue->run_size++;
    if (shift > 0)
        entries_sort(queue->run, queue->run_size, queue->run + queue->run_size);
    bucket->handed_count = 0;
    while (bucket->first != end)
        column_leave(bucket->first);
    queue->frontier = bucket->first ? bucket->start : bucket->start + ((Instant)1 << shift);
    bucket_prune(queue, bucket);
    return 0;
}

static void
run_close(Calendar *queue)
{
    queue->run_position = queue->run_size = 0;
    if (queue->run_room > RUN_KEPT) {
        PyMem_Free(queue->run);
        queue->run = NULL;
        queue->run_room = 0;
    }
}

/* Have something in the run, if a bucket starts by `now`. 1: so it is. */
static int
run_fill(Calendar *queue, Instant now)
{
    Bucket *bucket = NULL;
    uint32_t touched = 0;
    run_close(queue);
    for (;;) {
        switch (bucket_settle(queue, now, &bucket, &touched)) {
        case NOTHING: return 0;
        case READY: return run_open(queue, bucket) < 0 ? -1 : 1;
        case STEPPED: continue;
        case NO_MEMORY: return -1;
        }
    }
}

int
queue_first(Calendar *queue, Instant now, First *first)
{
    for (;;) {
        bool has_late = queue->late_size > 0, has_run = queue->run_position < queue->run_size;
        if (!has_late && !has_run) {
            int filled = run_fill(queue, now);
            if (filled <= 0)
                return filled;
            continue; /* all in it may be dead by now */
        }
        const Entry *entry = has_run ? &queue->run[queue->run_position] : NULL;
        first->is_late = !has_run || (has_late && queue->late[0].when < entry->when);
        if ((first->is_late ? queue->late[0].when : entry->when) > now)
            return 0;
        first->token = first->is_late ? queue->late[0].token : entry->token;
        first->item = place_item(queue, first->token);
        if (first->item)
            return 1;
        queue_drop(queue, first);
    }
}

void
queue_drop(Calendar *queue, const First *first)
{
    if (first->is_late)
        late_drop_first(queue);
    else
        queue->run_position++;
    Py_XDECREF(place_take(queue, first->token));
}

int
queue_due(Calendar *queue, Instant *due)
{
    if (queue->live == 0)
        return 0;
    while (queue->run_position < queue->run_size && !place_item(queue, queue->run[queue->run_position].token))
        queue->run_position++;
    while (queue->late_size > 0 && !place_item(queue, queue->late[0].token))
        late_drop_first(queue);
    bool is_running = queue->run_position < queue->run_size;
    if (!is_running && queue->late_size == 0)
        return bucket_next(queue, due);
    *due = is_running ? queue->run[queue->run_position].when : queue->late[0].when;
    if (queue->late_size > 0 && queue->late[0].when < *due)
        *due = queue->late[0].when;
    return 1;
}

int
queue_maintain(Calendar *queue, Py_ssize_t budget)
{
    Bucket *bucket;
    while (budget > 0) {
        uint32_t touched = 1;
        if (queue->late_size > 0 || queue->run_position < queue->run_size || queue->live == 0)
            return 0; /* there is something to serve first */
        Settled settled = bucket_settle(queue, INSTANT_END, &bucket, &touched);
        if (settled != STEPPED)
            return settled == NO_MEMORY ? -1 : 0;
        budget -= touched;
    }
    return 1;
}

/* Everything at once. */

static void
gather_bucket(Calendar *queue, const Bucket *bucket, Entry *found, Py_ssize_t *count)
{
    for (Walk walk = walk_over(bucket); walk_on(queue, &walk, &found[*count]);)
        ++*count;
    for (uint64_t left = bucket->filled; left; left &= left - 1)
        gather_bucket(queue, bucket->parts[__builtin_ctzll(left)], found, count);
}

static int
compare_late(const void *one, const void *other)
{
    return is_before(one, other) ? -1 : is_before(other, one);
}

/* All that waits, in order: a wider bucket's items are older than its parts', and a run's older than late ones. The
 * caller frees `found`. */
Py_ssize_t
queue_gather(Calendar *queue, Entry **found)
{
    Py_ssize_t count = 0;
    Entry *entries = PyMem_Malloc((2 * (size_t)queue->live + 1) * sizeof(Entry));
    if (entries == NULL)
        return -1;
    for (uint32_t place = queue->run_position; place < queue->run_size; place++)
        if (place_item(queue, queue->run[place].token))
            entries[count++] = queue->run[place];
    late_sweep(queue);
    qsort(queue->late, queue->late_size, sizeof(Late), compare_late); /* a sorted heap is a heap */
    for (uint32_t place = 0; place < queue->late_size; place++)
        entries[count++] = (Entry){queue->late[place].when, queue->late[place].token};
    gather_bucket(queue, queue->root, entries, &count);
    assert(count == queue->live);
    entries_sort(entries, (size_t)count, entries + count);
    *found = entries;
    return count;
}
