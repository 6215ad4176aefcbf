/* The nouns of the compiled calendar queue. The story is told in ../calendar.py: items lie in columns, columns in
 * buckets, a crowded bucket is split, and what comes near is sorted into a run and served. Three things differ, because
 * C moves memory more cheaply than Python: columns are short, so that they never have to grow; the levels of buckets are
 * a tree of 64-way nodes, so that no heap keeps them in order; and what was handed down names its place by token, so
 * that a column goes as soon as nothing in it waits.
 *
 * Rules of this folder: functions return -1 (or NULL) and leave everything as it was when memory runs out; no reference
 * is dropped before the structure is consistent, for a finaliser may come back to the queue. */

#ifndef SHIKE_CALENDAR_H
#define SHIKE_CALENDAR_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SLOT_BITS = 7,
    COLUMN_MAX = 1 << SLOT_BITS, /* places in a column */
    NUMBER_BITS = 28,            /* columns at once; with AGE_BITS they make a token of 60 bits, an int of 32 bytes */
    AGE_BITS = 25,               /* how often a column's number is given out again before it is retired */
    COLUMN_MIN = 4,
    DEAD_MIN = 16, /* cancelled places of a column that are not worth squeezing out */
    FAN_BITS = 6,  /* a bucket has 64 parts */
    WIDE_LEVELS = 2, /* buckets so many levels above the base still hold items themselves */
    LEVELS_MAX = 16,
    CROWD_MAX = 1024,
    SHIFT_MAX = 40,
    RUN_KEPT = 4 * CROWD_MAX, /* entries of a run whose memory is kept for the next one */
    LATE_DEAD_MIN = 64,
};

typedef uint64_t Instant; /* a time, counted from -2**62; what does not fit is kept in Python (../compiled.py) */
#define INSTANT_ZERO ((int64_t)1 << 62)
#define INSTANT_END ((Instant)1 << 63)
typedef int64_t Token; /* age, number of the column, slot; never negative */

typedef struct { /* names a place in the order of time; a dead one is passed over */
    Instant when;
    Token token;
} Entry;

typedef struct Bucket Bucket;

typedef struct Column { /* up to COLUMN_MAX insertions side by side */
    Bucket *bucket;     /* NULL: sorted or handed down already, or of late insertions */
    struct Column *before, *after; /* in the bucket */
    PyObject **items;   /* NULL: dead. Behind them, in the same block, their offsets */
    void *offsets;      /* from the bucket's start, `width` bytes each */
    uint8_t *kept;      /* of a squeezed column: which slots its places were named by */
    uint32_t number;
    uint8_t width, capacity, used, live; /* COLUMN_MAX fits a byte */
} Column;

struct Bucket { /* a span of time */
    Bucket *above;
    Bucket **parts;  /* NULL: none yet */
    uint64_t filled; /* which parts there are */
    Column *first, *last;
    Entry *handed; /* older than all in its columns */
    uint32_t handed_count, handed_room;
    Instant start;
    uint32_t size; /* places in its columns */
    uint8_t level;
    bool split; /* takes no more: later insertions go to its parts */
};

typedef struct { /* where a column's number leads */
    Column *column; /* NULL: to none */
    uint32_t age;
    uint32_t spare; /* the next number that is free; 0: none, else one more than it */
} Home;

typedef struct { /* an insertion before the frontier */
    Instant when;
    uint64_t order;
    Token token;
} Late;

typedef struct {
    PyObject_HEAD
    Py_ssize_t live;
    Bucket *root, *wide;                 /* the tree, and the wide bucket that was used last */
    uint8_t shifts[LEVELS_MAX];          /* a bucket of level i spans 2**shifts[i] */
    uint8_t wide_level, base_level;
    uint32_t crowd;
    Home *homes;
    uint32_t homes_used, homes_room, spare;
    Entry *run; /* what is being served, from `position` on */
    uint32_t run_position, run_size, run_room;
    Late *late; /* a heap of what was inserted before ... */
    uint32_t late_size, late_room, late_max;
    uint64_t late_order;
    Column *late_column;
    Instant frontier; /* ... this: all that is earlier is in the run or here */
    uint32_t buckets;
    char has_beyond; /* some times did not fit an Instant: ../compiled.py keeps them, and is asked */
} Calendar;

/* column.c: places and their tokens */
int make_room(void *array, uint32_t *room, uint32_t needed, size_t size);
Column *column_open(Calendar *queue, Bucket *bucket);
Token column_append(Calendar *queue, Column *column, Instant offset, PyObject *item);
void column_leave(Column *column);
PyObject *place_item(const Calendar *queue, Token token); /* borrowed; NULL: dead or unknown */
PyObject *place_take(Calendar *queue, Token token);       /* owned; NULL: dead or unknown */

typedef struct { /* over what lives in a bucket, oldest insertion first, but not in its parts */
    const Bucket *bucket;
    const Column *column, *end; /* up to this one; NULL: all */
    uint32_t handed, place;
} Walk;
Walk walk_over(const Bucket *bucket);
Token column_first(const Calendar *queue, const Column *column); /* the token of its first that lives */
bool walk_on(const Calendar *queue, Walk *walk, Entry *entry); /* false: that was all */

/* bucket.c: which bucket an item goes to, and which one comes first */
typedef enum { NOTHING, READY, STEPPED, NO_MEMORY = -1 } Settled;
int tree_plant(Calendar *queue, unsigned base_shift);
void tree_clear(Calendar *queue);
Bucket *bucket_for(Calendar *queue, Instant when);
bool bucket_takes(const Calendar *queue, const Bucket *bucket, Instant when);
Settled bucket_settle(Calendar *queue, Instant until, Bucket **found, uint32_t *touched);
int bucket_next(Calendar *queue, Instant *start); /* 1: found */
void bucket_prune(Calendar *queue, Bucket *bucket);
void bucket_forget(Bucket *bucket);

/* serve.c: the order of what is due */
void entries_sort(Entry *entries, size_t size, Entry *spare);
Token queue_put(Calendar *queue, Instant when, PyObject *item, Bucket **hint);
typedef struct {
    PyObject *item; /* borrowed */
    Token token;
    bool is_late;
} First;
int queue_first(Calendar *queue, Instant now, First *first); /* 1: something is due by `now` */
void queue_drop(Calendar *queue, const First *first);        /* take that out; somebody else has to hold the item */
int queue_due(Calendar *queue, Instant *due);                    /* 1: something waits; perhaps early */
int queue_maintain(Calendar *queue, Py_ssize_t budget);          /* 0: nothing is left to do */
Py_ssize_t queue_gather(Calendar *queue, Entry **found);         /* everything that waits, in order */

/* face.c: the calls from Python */
#define CALL PyObject *const *args, Py_ssize_t count, PyObject *names
PyObject *calendar_insert(Calendar *self, CALL);
PyObject *calendar_insert_many(Calendar *self, CALL);
PyObject *calendar_cancel(Calendar *self, CALL);
PyObject *calendar_cancel_many(Calendar *self, CALL);
PyObject *calendar_move(Calendar *self, CALL);
PyObject *calendar_item_near(Calendar *self, PyObject *token);
PyObject *calendar_pop_due(Calendar *self, CALL);
PyObject *calendar_pop_near(Calendar *self, CALL);
PyObject *calendar_next_due(Calendar *self, PyObject *none);
PyObject *calendar_next_near(Calendar *self, PyObject *none);
PyObject *calendar_maintain(Calendar *self, CALL);

#endif
