/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked about the inside of an actor and a node: traces, timers, behaviors. The plain ones (state, suspend,
 * resume) are a path, by troupe__request_actor. */
#include <jansson.h>
#include <stdlib.h>

#include "src/problem.h"
#include "src/target.h"

int troupe__request_trace(const char *ref, uint32_t messages, bool has_bodies, struct http_request *ret_request,
                          troupe_client_problem *problem)
{
    int rc = troupe__request_actor("POST", ref, "/trace", ret_request, problem);
    if (rc != 0) {
        return rc;
    }
    json_t *document = messages != 0 ? json_pack("{s:I, s:b}", "messages", (json_int_t)messages, "bodies", has_bodies)
                                     : json_pack("{s:b}", "bodies", has_bodies);
    return troupe__request_set_document(ret_request, document, problem);
}

int troupe__request_timer(const char *method, const char *ref, const char *id, struct http_request *ret_request,
                          troupe_client_problem *problem)
{
    int rc = troupe__target_check_ref(ref, problem);
    rc = rc != 0 ? rc : troupe__target_check_word(id, "timer", problem);
    if (rc != 0) {
        return rc;
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__target_add_actor(&target, ref);
    troupe__text_add(&target, "/timers/");
    troupe__text_add_escaped(&target, id);
    return troupe__target_finish(method, &target, ret_request, problem);
}

static json_t *make_timer(const troupe_client_timer *timer)
{
    json_t *document = json_pack("{s:s}", "type", timer->type);
    int rc = document == NULL ? -1 : 0;
    if (rc == 0 && timer->body != NULL) {
        rc = json_object_set_new(document, "body", json_deep_copy(timer->body));
    }
    if (rc == 0 && timer->at != NULL) {
        rc = json_object_set_new(document, "at", json_string(timer->at));
    }
    if (rc == 0 && timer->at == NULL && (timer->after_ms != 0 || timer->every_ms == 0)) {
        rc = json_object_set_new(document, "after_ms", json_integer(timer->after_ms));
    }
    if (rc == 0 && timer->every_ms != 0) {
        rc = json_object_set_new(document, "every_ms", json_integer(timer->every_ms));
    }
    if (rc == 0 && timer->missed != NULL) {
        rc = json_object_set_new(document, "missed", json_string(timer->missed));
    }
    if (rc != 0) {
        json_decref(document);
        return NULL;
    }
    return document;
}

int troupe__request_timer_set(const char *ref, const char *id, const troupe_client_timer *timer,
                              struct http_request *ret_request, troupe_client_problem *problem)
{
    int rc = troupe__target_check_word(timer->type, "type", problem);
    rc = rc != 0 ? rc : troupe__request_timer("PUT", ref, id, ret_request, problem);
    return rc != 0 ? rc : troupe__request_set_document(ret_request, make_timer(timer), problem);
}

int troupe__request_behavior(const char *behavior, struct http_request *ret_request, troupe_client_problem *problem)
{
    int rc = troupe__target_check_word(behavior, "behavior", problem);
    if (rc != 0) {
        return rc;
    }
    struct text target = {.max = TARGET_BYTES_MAX};
    troupe__text_add(&target, "/v1/behaviors/");
    troupe__text_add_escaped(&target, behavior);
    return troupe__target_finish("GET", &target, ret_request, problem);
}
