/* The type `Calendar`: how it comes, goes and is seen by the garbage collector. */

#include "calendar.h"

#include <structmember.h>

#ifndef SHIKE_SOURCES
#define SHIKE_SOURCES 0 /* a checksum of what this was compiled from */
#endif

static PyObject *
calendar_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(names))
{
    int shift, crowd;
    if (!PyArg_ParseTuple(args, "ii", &shift, &crowd))
        return NULL;
    if (shift < 0 || shift > SHIFT_MAX || crowd < 1 || crowd > CROWD_MAX)
        return PyErr_Format(PyExc_ValueError, "a bucket of 2**%d ticks, crowded by %d, cannot be", shift, crowd);
    Calendar *self = (Calendar *)type->tp_alloc(type, 0); /* all zero */
    if (self == NULL)
        return NULL;
    self->crowd = (uint32_t)crowd;
    self->late_max = LATE_DEAD_MIN;
    if (tree_plant(self, (unsigned)shift) < 0) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static int
calendar_traverse(Calendar *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (uint32_t number = 0; number < self->homes_used; number++) {
        const Column *column = self->homes[number].column;
        for (unsigned place = 0; column && place < column->used; place++)
            Py_VISIT(column->items[place]);
    }
    return 0;
}

/* Each time from what is there now: letting go of an item may run code that comes back to the queue. */
static int
calendar_clear(Calendar *self)
{
    Py_ssize_t left = self->live;
    for (uint32_t number = 0; number < self->homes_used; number++) {
        const Column *column;
        while ((column = self->homes[number].column) != NULL && left-- > 0)
            Py_XDECREF(place_take(self, column_first(self, column)));
    }
    return 0;
}

static void
calendar_dealloc(Calendar *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    calendar_clear(self);
    if (self->root)
        bucket_forget(self->root);
    PyMem_Free(self->homes);
    PyMem_Free(self->run);
    PyMem_Free(self->late);
    type->tp_free(self);
    Py_DECREF(type);
}

static Py_ssize_t
calendar_length(Calendar *self)
{
    if (!self->has_beyond)
        return self->live;
    PyObject *beyond = PyObject_GetAttrString((PyObject *)self, "_beyond");
    Py_ssize_t size = beyond ? PyObject_Size(beyond) : -1;
    Py_XDECREF(beyond);
    return size < 0 ? -1 : self->live + size;
}

static PyObject *
pairs_of(Calendar *self, const Entry *entries, Py_ssize_t count)
{
    PyObject *pairs = PyList_New(count);
    for (Py_ssize_t place = 0; pairs && place < count; place++) {
        int64_t when = (int64_t)(entries[place].when - (Instant)INSTANT_ZERO);
        PyObject *pair = Py_BuildValue("LO", (long long)when, place_item(self, entries[place].token));
        if (pair)
            PyList_SET_ITEM(pairs, place, pair);
        else
            Py_CLEAR(pairs);
    }
    return pairs;
}

/* The collector rests meanwhile: no code of others may see the queue half drained. */
static PyObject *
calendar_drain_near(Calendar *self, PyObject *Py_UNUSED(none))
{
    Entry *entries = NULL;
    int collects = PyGC_Disable();
    Py_ssize_t count = queue_gather(self, &entries);
    PyObject *pairs = count < 0 ? PyErr_NoMemory() : pairs_of(self, entries, count);
    for (Py_ssize_t place = 0; pairs && place < count; place++)
        Py_XDECREF(place_take(self, entries[place].token)); /* never the last reference */
    if (pairs) {
        self->run_position = self->run_size = self->late_size = 0;
        tree_clear(self);
    }
    PyMem_Free(entries);
    if (collects)
        PyGC_Enable();
    return pairs;
}

/* (live, dead, buckets, most places of one part, bytes) */
static PyObject *
calendar_shape(Calendar *self, PyObject *Py_UNUSED(none))
{
    Py_ssize_t places = 0, bytes = 0, worst = self->run_size - self->run_position;
    worst = worst > self->late_size ? worst : self->late_size;
    for (uint32_t number = 0; number < self->homes_used; number++) {
        const Column *column = self->homes[number].column;
        if (column == NULL)
            continue;
        places += column->used;
        bytes += (Py_ssize_t)(sizeof(Column) + column->capacity * (sizeof(PyObject *) + column->width));
        if (column->bucket && column->bucket->size > worst)
            worst = column->bucket->size;
    }
    bytes += (Py_ssize_t)(self->buckets * sizeof(Bucket) + self->homes_room * sizeof(Home));
    bytes += (Py_ssize_t)(self->run_room * sizeof(Entry) + self->late_room * sizeof(Late));
    return Py_BuildValue("nnnnn", self->live, places - self->live, (Py_ssize_t)self->buckets - 1, worst, bytes);
}

#define FAST(name, call) {name, (PyCFunction)(void (*)(void))call, METH_FASTCALL | METH_KEYWORDS, NULL}
static PyMethodDef methods[] = {
    FAST("insert", calendar_insert),
    FAST("insert_many", calendar_insert_many),
    FAST("cancel", calendar_cancel),
    FAST("cancel_many", calendar_cancel_many),
    FAST("move", calendar_move),
    {"_item_near", (PyCFunction)calendar_item_near, METH_O, NULL},
    FAST("pop_due", calendar_pop_due),
    FAST("_pop_near", calendar_pop_near),
    {"next_due", (PyCFunction)calendar_next_due, METH_NOARGS, NULL},
    {"_next_near", (PyCFunction)calendar_next_near, METH_NOARGS, NULL},
    FAST("maintain", calendar_maintain),
    {"_drain_near", (PyCFunction)calendar_drain_near, METH_NOARGS, NULL},
    {"_shape", (PyCFunction)calendar_shape, METH_NOARGS, NULL},
    {NULL},
};
static PyMemberDef members[] = {
    {"_has_beyond", T_BOOL, offsetof(Calendar, has_beyond), 0, NULL},
    {NULL},
};
static PyType_Slot slots[] = {
    {Py_tp_new, calendar_new},
    {Py_tp_traverse, calendar_traverse},
    {Py_tp_clear, calendar_clear},
    {Py_tp_dealloc, calendar_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_sq_length, calendar_length},
    {0, NULL},
};
static PyType_Spec spec = {
    "shike.timer.native._calendar.Calendar",
    sizeof(Calendar),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    slots,
};

static int
module_fill(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    if (type == NULL || PyModule_AddObjectRef(module, "Calendar", type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    Py_DECREF(type);
    return PyModule_AddIntConstant(module, "SOURCES", SHIKE_SOURCES);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_fill}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_calendar", NULL, 0, NULL, module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC
PyInit__calendar(void)
{
    return PyModuleDef_Init(&definition);
}
