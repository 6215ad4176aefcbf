/* Which bucket an item goes to, and which one comes first: a tree of 64-way nodes over all of time, whose first part is
 * one bit scan away. A bucket that is crowded is split; one that is too wide or too full to be sorted hands down what it
 * holds when its time comes near. One that holds nothing is pruned at once, with all above it that hold nothing else. */

#include "calendar.h"

#include <string.h>

static uint8_t
shift_of(const Calendar *queue, const Bucket *bucket)
{
    return queue->shifts[bucket->level];
}

static bool
holds(const Bucket *bucket)
{
    return bucket->first != NULL || bucket->handed_count > 0;
}

int
tree_plant(Calendar *queue, unsigned base_shift)
{
    unsigned above = (57 - base_shift + FAN_BITS - 1) / FAN_BITS; /* until 64 parts cover 2**63 instants */
    unsigned level = 0;
    queue->shifts[level++] = 63;
    for (unsigned up = above + 1; up-- > 0;)
        queue->shifts[level++] = (uint8_t)(base_shift + up * FAN_BITS);
    queue->base_level = (uint8_t)(level - 1);
    queue->wide_level = queue->base_level - WIDE_LEVELS;
    for (unsigned shift = base_shift; shift > 0; queue->shifts[level++] = (uint8_t)shift)
        shift = shift > FAN_BITS ? shift - FAN_BITS : 0;
    assert(level <= LEVELS_MAX);
    queue->root = PyMem_Calloc(1, sizeof(Bucket));
    queue->buckets = 1;
    return queue->root ? 0 : -1;
}

static unsigned
part_index(const Calendar *queue, const Bucket *bucket, Instant when)
{
    unsigned shift = queue->shifts[bucket->level + 1], bits = shift_of(queue, bucket) - shift;
    return (unsigned)(when >> shift) & ((1u << bits) - 1);
}

static Bucket *
part_for(Calendar *queue, Bucket *bucket, Instant when)
{
    unsigned index = part_index(queue, bucket, when), shift = queue->shifts[bucket->level + 1];
    if (bucket->filled >> index & 1)
        return bucket->parts[index];
    if (bucket->parts == NULL)
        bucket->parts = PyMem_Malloc(((size_t)1 << (shift_of(queue, bucket) - shift)) * sizeof(Bucket *));
    Bucket *part = bucket->parts ? PyMem_Calloc(1, sizeof(Bucket)) : NULL;
    if (part == NULL)
        return NULL;
    part->above = bucket;
    part->level = bucket->level + 1;
    part->start = when >> shift << shift;
    bucket->parts[index] = part;
    bucket->filled |= (uint64_t)1 << index;
    queue->buckets++;
    return part;
}

/* Forget buckets from this one upwards as long as there is nothing in them. */
void
bucket_prune(Calendar *queue, Bucket *bucket)
{
    while (bucket->above && !holds(bucket) && !bucket->filled) {
        Bucket *above = bucket->above;
        above->filled &= ~((uint64_t)1 << part_index(queue, above, bucket->start));
        if (queue->wide == bucket)
            queue->wide = NULL;
        PyMem_Free(bucket->parts);
        PyMem_Free(bucket->handed);
        PyMem_Free(bucket);
        queue->buckets--;
        bucket = above;
    }
}

/* Forget this bucket and all its parts; their columns are somebody else's. */
void
bucket_forget(Bucket *bucket)
{
    for (uint64_t left = bucket->filled; left; left &= left - 1)
        bucket_forget(bucket->parts[__builtin_ctzll(left)]);
    PyMem_Free(bucket->parts);
    PyMem_Free(bucket->handed);
    PyMem_Free(bucket);
}

/* Forget all but the root, when nothing waits. */
void
tree_clear(Calendar *queue)
{
    for (uint64_t left = queue->root->filled; left; left &= left - 1)
        bucket_forget(queue->root->parts[__builtin_ctzll(left)]);
    queue->root->filled = 0;
    queue->wide = NULL;
    queue->buckets = 1;
}

bool
bucket_takes(const Calendar *queue, const Bucket *bucket, Instant when)
{
    unsigned shift = shift_of(queue, bucket);
    return when >> shift == bucket->start >> shift && !bucket->split && (shift == 0 || bucket->size < queue->crowd);
}

/* The widest bucket for `when` that is not crowded. */
Bucket *
bucket_for(Calendar *queue, Instant when)
{
    unsigned shift = queue->shifts[queue->wide_level];
    Bucket *bucket = queue->wide;
    if (bucket == NULL || when >> shift != bucket->start >> shift)
        bucket = queue->root;
    while (bucket->level < queue->wide_level || !bucket_takes(queue, bucket, when)) {
        bucket->split = true;
        Bucket *part = part_for(queue, bucket, when);
        if (part == NULL) {
            bucket_prune(queue, bucket);
            return NULL;
        }
        if (part->level == queue->wide_level)
            queue->wide = part;
        bucket = part;
    }
    return bucket;
}

/* Room for what is to come, or nothing is changed. */
static int
parts_make_room(Calendar *queue, Bucket *bucket)
{
    uint32_t counts[1 << FAN_BITS] = {0};
    Entry entry;
    for (Walk walk = walk_over(bucket); walk_on(queue, &walk, &entry);) {
        if (part_for(queue, bucket, entry.when) == NULL)
            return -1;
        counts[part_index(queue, bucket, entry.when)]++;
    }
    for (uint64_t left = bucket->filled; left; left &= left - 1) {
        unsigned index = (unsigned)__builtin_ctzll(left);
        Bucket *part = bucket->parts[index];
        if (make_room(&part->handed, &part->handed_room, part->handed_count + counts[index], sizeof(Entry)) < 0)
            return -1;
    }
    return 0;
}

static int
hand_down(Calendar *queue, Bucket *bucket)
{
    bucket->split = true;
    if (parts_make_room(queue, bucket) < 0) {
        for (uint64_t left = bucket->filled; left; left &= left - 1)
            bucket_prune(queue, bucket->parts[__builtin_ctzll(left)]);
        return -1;
    }
    Entry entry;
    for (Walk walk = walk_over(bucket); walk_on(queue, &walk, &entry);) {
        Bucket *part = part_for(queue, bucket, entry.when);
        part->handed[part->handed_count++] = entry;
    }
    PyMem_Free(bucket->handed);
    bucket->handed = NULL;
    bucket->handed_count = bucket->handed_room = 0;
    while (bucket->first)
        column_leave(bucket->first);
    return 0;
}

static bool
can_be_served(const Calendar *queue, const Bucket *bucket)
{
    bool is_small = bucket->size + bucket->handed_count <= 2 * queue->crowd || shift_of(queue, bucket) == 0;
    return bucket->level >= queue->base_level && !bucket->split && is_small;
}

/* One step towards serving the first bucket that starts by `until`: READY when it is found. */
Settled
bucket_settle(Calendar *queue, Instant until, Bucket **found, uint32_t *touched)
{
    Bucket *bucket = queue->root;
    while (!holds(bucket) && bucket->filled)
        bucket = bucket->parts[__builtin_ctzll(bucket->filled)];
    if (!holds(bucket)) { /* what it held was handed down or cancelled */
        if (bucket == queue->root)
            return NOTHING;
        bucket_prune(queue, bucket);
        return STEPPED;
    }
    if (bucket->start > until)
        return NOTHING;
    *found = bucket;
    if (can_be_served(queue, bucket))
        return READY;
    *touched += bucket->size + bucket->handed_count;
    return hand_down(queue, bucket) < 0 ? NO_MEMORY : STEPPED;
}

static bool
is_dead(const Calendar *queue, const Bucket *bucket)
{
    Entry entry;
    Walk walk = walk_over(bucket);
    return !walk_on(queue, &walk, &entry);
}

/* Where the first bucket starts, no wider than the base, that holds an item. */
int
bucket_next(Calendar *queue, Instant *start)
{
    for (;;) {
        Bucket *bucket = queue->root;
        while (!holds(bucket) && bucket->filled)
            bucket = bucket->parts[__builtin_ctzll(bucket->filled)];
        if (holds(bucket) && is_dead(queue, bucket))
            bucket->handed_count = 0; /* it has no columns: those go when all in them are dead */
        else if (!holds(bucket) && bucket == queue->root)
            return 0;
        else if (!holds(bucket))
            bucket_prune(queue, bucket);
        else if (bucket->level < queue->base_level) {
            if (hand_down(queue, bucket) < 0)
                return -1;
        } else {
            *start = bucket->start;
            return 1;
        }
    }
}
