/* SPDX-License-Identifier: Apache-2.0
 *
 * The yardstick: what passing a message costs in bare C. Two objects, each with a queue and a function. A message is
 * taken from malloc and linked into the receiver's queue; a receiver whose queue was empty is linked into the run
 * queue. The loop takes an object from there, handles one message through the object's function pointer, and gives it
 * back to free. No threads, no atomics, no ids, no limits: nobody could use it.
 *
 * It runs in turn with each case, because the machines this runs on change speed: a ratio to it holds, ns do not. */
#include <stdlib.h>

#include "bench.h"

struct bare_msg {
    struct bare_msg *next;
    struct bare_object *from;
    uint64_t op;
    uint64_t body[5]; /* as long as a small message of ours */
};

struct bare_object {
    struct bare_msg *first, **last; /* its queue */
    struct bare_object *next;       /* in the run queue */
    bool (*receive)(struct bare_object *self, const struct bare_msg *msg);
};

static struct {
    struct bare_object *first, **last;
} runq;

static void runq_push(struct bare_object *object)
{
    object->next = NULL;
    *runq.last = object;
    runq.last = &object->next;
}

static bool bare_send(struct bare_object *from, struct bare_object *to, uint64_t left)
{
    struct bare_msg *msg = malloc(sizeof(*msg));
    if (msg == NULL)
        return false;
    *msg = (struct bare_msg){.from = from, .op = 1, .body = {left}};
    if (to->first == NULL)
        runq_push(to);
    *to->last = msg;
    to->last = &msg->next;
    return true;
}

static bool bare_receive(struct bare_object *self, const struct bare_msg *msg)
{
    return msg->op != 1 || msg->body[0] == 0 || bare_send(self, msg->from, msg->body[0] - 1);
}

/* Handle one message of the object; it goes back to the run queue when it has more. */
static bool bare_turn(struct bare_object *object)
{
    struct bare_msg *msg = object->first;
    object->first = msg->next;
    if (object->first == NULL)
        object->last = &object->first;
    else
        runq_push(object);
    bool good = object->receive(object, msg);
    free(msg);
    return good;
}

double bench_yardstick(uint64_t messages)
{
    struct bare_object objects[2] = {{.receive = bare_receive}, {.receive = bare_receive}};
    objects[0].last = &objects[0].first;
    objects[1].last = &objects[1].first;
    runq.first = NULL;
    runq.last = &runq.first;

    uint64_t start_ns = bench_now_ns();
    bool good = bare_send(&objects[1], &objects[0], messages);
    while (good && runq.first != NULL) {
        struct bare_object *object = runq.first;
        runq.first = object->next;
        if (runq.first == NULL)
            runq.last = &runq.first;
        good = bare_turn(object);
    }
    return (double)(bench_now_ns() - start_ns) / (double)(messages + 1);
}
