/* The calls from Python. What does not fit here (times beyond 2**62, and their tokens) is asked of methods that
 * ../compiled.py adds, by name. */

#include "calendar.h"

#include <string.h>

enum { WORDS_MAX = 3 };

typedef enum { FITS, BEYOND, FAILED } Fit;

static Fit
fit_number(PyObject *number, int64_t *value)
{
    int overflow;
    *value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (*value == -1 && PyErr_Occurred())
        return FAILED;
    return overflow ? BEYOND : FITS;
}

static Fit
fit_instant(PyObject *when, Instant *instant)
{
    int64_t value;
    Fit fit = fit_number(when, &value);
    if (fit != FITS)
        return fit;
    *instant = (Instant)value + (Instant)INSTANT_ZERO;
    return *instant < INSTANT_END ? FITS : BEYOND;
}

static Fit
fit_token(PyObject *token, Token *value)
{
    if (!PyLong_Check(token)) {
        PyErr_Format(PyExc_TypeError, "a token is an int, not %.100s", Py_TYPE(token)->tp_name);
        return FAILED;
    }
    Fit fit = fit_number(token, value);
    return fit == FITS && *value < 0 ? BEYOND : fit;
}

/* Sort out positional and named arguments; `words` are the names, the first `needed` of them have to be there. */
static int
arguments(const char *call, const char *const *words, Py_ssize_t needed, Py_ssize_t most, CALL, PyObject **found)
{
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    if (count == most && names == NULL) {
        memcpy(found, args, (size_t)most * sizeof *found);
        return 0;
    }
    if (count > most)
        return PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, not %zd", call, most, count), -1;
    for (Py_ssize_t word = 0; word < most; word++)
        found[word] = word < count ? args[word] : NULL;
    for (Py_ssize_t place = 0; place < named; place++) {
        PyObject *name = PyTuple_GET_ITEM(names, place);
        Py_ssize_t word = 0;
        while (words[word] && PyUnicode_CompareWithASCIIString(name, words[word]) != 0)
            word++;
        if (words[word] == NULL || found[word] != NULL)
            return PyErr_Format(PyExc_TypeError, "%s() has no argument %R, or has it twice", call, name), -1;
        found[word] = args[count + place];
    }
    for (Py_ssize_t word = 0; word < needed; word++)
        if (found[word] == NULL)
            return PyErr_Format(PyExc_TypeError, "%s() needs the argument '%s'", call, words[word]), -1;
    return 0;
}

/* Putting in. */

static const char *const INSERT[] = {"when", "item", NULL}, *const MANY[] = {"whens", "items", "ascending", NULL},
                         *const MOVE[] = {"token", "when", NULL}, *const POP[] = {"now", "limit", NULL};

static PyObject *
put_one(Calendar *self, Instant when, PyObject *item, Bucket **hint)
{
    Token token = queue_put(self, when, item, hint);
    if (token < 0)
        return PyErr_NoMemory();
    PyObject *named = PyLong_FromLongLong(token);
    if (named == NULL)
        Py_XDECREF(place_take(self, token));
    return named;
}

PyObject *
calendar_insert(Calendar *self, CALL)
{
    PyObject *found[WORDS_MAX];
    Instant when;
    Bucket *hint = NULL;
    if (arguments("insert", INSERT, 2, 2, args, count, names, found) < 0)
        return NULL;
    switch (fit_instant(found[0], &when)) {
    case FITS: return put_one(self, when, found[1], &hint);
    case BEYOND: return PyObject_CallMethod((PyObject *)self, "_insert_beyond", "OO", found[0], found[1]);
    default: return NULL;
    }
}

/* Both are lists or tuples of `size`, and no code of anybody runs from here on: who calls us holds the items. NULL
 * without an exception: not all times fit. */
static PyObject *
put_many(Calendar *self, PyObject *whens, PyObject *items, Py_ssize_t size, PyObject *tokens)
{
    PyObject **when = PySequence_Fast_ITEMS(whens), **item = PySequence_Fast_ITEMS(items), *token = tokens;
    Instant *instants = PyMem_New(Instant, size + 1);
    Bucket *hint = NULL;
    if (instants == NULL)
        return PyErr_NoMemory();
    for (Py_ssize_t place = 0; place < size; place++) {
        if (!PyLong_CheckExact(when[place]) || fit_instant(when[place], &instants[place]) != FITS) {
            PyMem_Free(instants);
            return NULL;
        }
    }
    for (Py_ssize_t place = 0; place < size && token; place++) {
        token = put_one(self, instants[place], item[place], &hint);
        if (token)
            PyList_SET_ITEM(tokens, place, token);
        while (token == NULL && place-- > 0)
            Py_XDECREF(place_take(self, PyLong_AsLongLong(PyList_GET_ITEM(tokens, place))));
    }
    PyMem_Free(instants);
    return token ? Py_NewRef(tokens) : NULL;
}

PyObject *
calendar_insert_many(Calendar *self, CALL)
{
    PyObject *found[WORDS_MAX], *whens = NULL, *items = NULL, *tokens = NULL, *result = NULL;
    if (count > 2)
        return PyErr_Format(PyExc_TypeError, "insert_many() takes whens and items; `ascending` has to be named");
    if (arguments("insert_many", MANY, 2, 3, args, count, names, found) < 0)
        return NULL;
    Py_ssize_t size = PyObject_Size(found[0]), other = PyObject_Size(found[1]);
    if (size < 0 || other < 0)
        return NULL;
    if (size != other)
        return PyObject_CallMethod((PyObject *)self, "_refuse", "nn", size, other);
    whens = PySequence_Fast(found[0], "times have to be a sequence");
    items = whens ? PySequence_Fast(found[1], "items have to be a sequence") : NULL;
    tokens = items ? PyList_New(size) : NULL; /* collects garbage, perhaps: code of others runs, so look again */
    if (tokens && (PySequence_Fast_GET_SIZE(whens) != size || PySequence_Fast_GET_SIZE(items) != size))
        PyErr_SetString(PyExc_RuntimeError, "times or items changed while they were inserted");
    else if (tokens) {
        result = put_many(self, whens, items, size, tokens);
        if (result == NULL && !PyErr_Occurred())
            result = PyObject_CallMethod((PyObject *)self, "_insert_each", "OO", whens, items);
    }
    Py_XDECREF(whens);
    Py_XDECREF(items);
    Py_XDECREF(tokens);
    return result;
}

/* Taking out by token. */

PyObject *
calendar_cancel(Calendar *self, CALL)
{
    static const char *const words[] = {"token", NULL};
    PyObject *found[WORDS_MAX];
    Token token;
    if (arguments("cancel", words, 1, 1, args, count, names, found) < 0)
        return NULL;
    Fit fit = fit_token(found[0], &token);
    if (fit == BEYOND && self->has_beyond)
        return PyObject_CallMethod((PyObject *)self, "_cancel_beyond", "O", found[0]);
    if (fit != FITS)
        return fit == BEYOND ? Py_NewRef(Py_False) : NULL;
    PyObject *item = place_take(self, token);
    bool is_taken = item != NULL;
    Py_XDECREF(item);
    return PyBool_FromLong(is_taken);
}

/* Of these, those of this build; the others' places are left alone, and counted in `strange`. */
static PyObject **
take_many(Calendar *self, PyObject *tokens, Py_ssize_t *taken, Py_ssize_t *strange)
{
    Py_ssize_t size = PyList_GET_SIZE(tokens);
    Token token;
    PyObject **items = PyMem_New(PyObject *, size + 1);
    if (items == NULL)
        return (PyObject **)PyErr_NoMemory();
    for (Py_ssize_t place = 0; place < size; place++) {
        if (fit_token(PyList_GET_ITEM(tokens, place), &token) == FAILED) {
            PyMem_Free(items);
            return NULL;
        }
    }
    for (Py_ssize_t place = 0; place < size; place++) {
        if (fit_token(PyList_GET_ITEM(tokens, place), &token) != FITS)
            ++*strange;
        else if ((items[*taken] = place_take(self, token)) != NULL)
            ++*taken;
    }
    return items;
}

PyObject *
calendar_cancel_many(Calendar *self, CALL)
{
    static const char *const words[] = {"tokens", NULL};
    PyObject *found[WORDS_MAX];
    Py_ssize_t taken = 0, strange = 0;
    if (arguments("cancel_many", words, 1, 1, args, count, names, found) < 0)
        return NULL;
    PyObject *list = PySequence_List(found[0]); /* ours: nobody changes it meanwhile */
    PyObject **items = list ? take_many(self, list, &taken, &strange) : NULL;
    PyObject *sum = items ? PyLong_FromSsize_t(taken) : NULL;
    if (sum && strange && self->has_beyond)
        Py_SETREF(sum, PyObject_CallMethod((PyObject *)self, "_cancel_many_beyond", "On", list, taken));
    for (Py_ssize_t place = 0; place < taken; place++)
        Py_DECREF(items[place]); /* let go of at the end: a finaliser may come back to the queue */
    PyMem_Free(items);
    Py_XDECREF(list);
    return sum;
}

PyObject *
calendar_move(Calendar *self, CALL)
{
    PyObject *found[WORDS_MAX];
    Token token;
    Instant when;
    Bucket *hint = NULL;
    if (arguments("move", MOVE, 2, 2, args, count, names, found) < 0)
        return NULL;
    Fit when_fit = fit_instant(found[1], &when), token_fit = when_fit == FAILED ? FAILED : fit_token(found[0], &token);
    if (token_fit == FAILED)
        return NULL;
    if (when_fit == BEYOND || token_fit == BEYOND)
        return PyObject_CallMethod((PyObject *)self, "_move_beyond", "OO", found[0], found[1]);
    PyObject *item = place_item(self, token);
    if (item == NULL)
        Py_RETURN_NONE;
    PyObject *moved = put_one(self, when, item, &hint);
    if (moved)
        Py_XDECREF(place_take(self, token)); /* never the last reference: it waits elsewhere now */
    return moved;
}

/* (item,) or () */
PyObject *
calendar_item_near(Calendar *self, PyObject *number)
{
    Token token;
    Fit fit = fit_token(number, &token);
    PyObject *item = fit == FITS ? place_item(self, token) : NULL;
    return fit == FAILED ? NULL : item ? PyTuple_Pack(1, item) : PyTuple_New(0);
}

/* Taking out by time. */

/* Without memory, what was popped so far is given, and the rest stays due. */
static PyObject *
pop(Calendar *self, Instant now, Py_ssize_t limit)
{
    First first;
    int found = 1;
    PyObject *due = PyList_New(0);
    while (due && PyList_GET_SIZE(due) < limit && (found = queue_first(self, now, &first)) > 0) {
        if (PyList_Append(due, first.item) < 0) {
            PyErr_Clear();
            found = -1;
            break;
        }
        queue_drop(self, &first);
    }
    if (found < 0 && due && PyList_GET_SIZE(due) == 0) {
        Py_CLEAR(due);
        PyErr_NoMemory();
    }
    return due;
}

static int
pop_arguments(const char *call, CALL, PyObject **now, Py_ssize_t *limit)
{
    PyObject *found[WORDS_MAX];
    int64_t most = PY_SSIZE_T_MAX;
    if (arguments(call, POP, 1, 2, args, count, names, found) < 0)
        return -1;
    if (found[1] && found[1] != Py_None) {
        int overflow;
        most = PyLong_AsLongLongAndOverflow(found[1], &overflow);
        if (most == -1 && PyErr_Occurred())
            return -1;
        most = overflow > 0 ? PY_SSIZE_T_MAX : overflow < 0 ? 0 : most;
    }
    *now = found[0];
    *limit = (Py_ssize_t)most;
    return 0;
}

PyObject *
calendar_pop_near(Calendar *self, CALL)
{
    PyObject *word;
    Py_ssize_t limit;
    int64_t value;
    if (pop_arguments("pop_due", args, count, names, &word, &limit) < 0)
        return NULL;
    Fit fit = fit_number(word, &value);
    if (fit == FAILED)
        return NULL;
    if (fit == BEYOND) {
        PyObject *zero = PyLong_FromLong(0);
        int is_past = zero ? PyObject_RichCompareBool(word, zero, Py_LT) : -1;
        Py_XDECREF(zero);
        if (is_past < 0)
            return NULL;
        value = is_past ? INT64_MIN : INT64_MAX;
    }
    if (value < -INSTANT_ZERO)
        return PyList_New(0);
    return pop(self, value < INSTANT_ZERO ? (Instant)value + (Instant)INSTANT_ZERO : INSTANT_END - 1, limit);
}

PyObject *
calendar_pop_due(Calendar *self, CALL)
{
    if (!self->has_beyond)
        return calendar_pop_near(self, args, count, names);
    PyObject *now;
    Py_ssize_t limit;
    if (pop_arguments("pop_due", args, count, names, &now, &limit) < 0)
        return NULL;
    return PyObject_CallMethod((PyObject *)self, "_pop_beyond", "On", now, limit);
}

PyObject *
calendar_next_near(Calendar *self, PyObject *Py_UNUSED(none))
{
    Instant due = 0;
    int found = queue_due(self, &due);
    if (found < 0)
        return PyErr_NoMemory();
    return found ? PyLong_FromLongLong((int64_t)(due - (Instant)INSTANT_ZERO)) : Py_NewRef(Py_None);
}

PyObject *
calendar_next_due(Calendar *self, PyObject *Py_UNUSED(none))
{
    return self->has_beyond ? PyObject_CallMethod((PyObject *)self, "_next_beyond", NULL) : calendar_next_near(self, NULL);
}

PyObject *
calendar_maintain(Calendar *self, CALL)
{
    static const char *const words[] = {"budget", NULL};
    PyObject *found[WORDS_MAX];
    int64_t steps;
    if (arguments("maintain", words, 1, 1, args, count, names, found) < 0)
        return NULL;
    Fit fit = fit_number(found[0], &steps);
    if (fit == FAILED)
        return NULL;
    int is_left = queue_maintain(self, fit == FITS ? steps : PY_SSIZE_T_MAX);
    return is_left < 0 ? PyErr_NoMemory() : PyBool_FromLong(is_left);
}
