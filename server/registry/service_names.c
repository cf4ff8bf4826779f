/* SPDX-License-Identifier: Apache-2.0
 *
 * The routes of names: one name, or a batch of them. A batch is judged before anything of it is done; then each of its
 * items stands for itself. */
#include <string.h>

#include "registry/service_impl.h"

static const troupe_ref nobody;

/* ---- one name ---- */

static bool read_ref(const struct at_hand *at, const char *ptr, size_t len, troupe_ref *ret_ref)
{
    if (troupe_ref_parse(ptr, len, ret_ref) == 0 && troupe_ref_is_actor(*ret_ref))
        return true;
    service__refuse(at, TROUPE_E_SCHEMA, "ref", nobody, "ref must be the id of an actor");
    return false;
}

static json_t *name_doc(troupe_view name, troupe_ref ref)
{
    char text[TROUPE_REF_TEXT_MAX];
    troupe_ref_format(ref, text);
    return json_pack("{s:s%, s:s?}", "name", name.ptr, name.len, "ref", troupe_ref_is_actor(ref) ? text : NULL);
}

static bool must_admit(const struct at_hand *at, uint64_t seq, uint64_t floor)
{
    if (registry_admit(at->service->registry, at->asker, seq, floor))
        return true;
    service__refuse(at, TROUPE_E_REPLAYED, "seq", nobody, "the node has given this call up");
    return false;
}

static void claim_for(const struct at_hand *at, const json_t *body)
{
    const json_t *json = json_object_get(body, "ref");
    troupe_ref ref = {0}, holder;
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(body, "seq"));
    uint64_t floor = (uint64_t)json_integer_value(json_object_get(body, "floor"));
    if (json != NULL && !json_is_string(json)) {
        service__refuse(at, TROUPE_E_SCHEMA, "ref", nobody, "ref must be the id of an actor");
        return;
    }
    if (json != NULL && !read_ref(at, json_string_value(json), json_string_length(json), &ref))
        return;
    if (!must_admit(at, seq, floor))
        return;
    int error = registry_claim(at->service->registry, at->asker, at->request->name, ref,
                               json_is_true(json_object_get(body, "held")), at->now_ms, &holder);
    if (error == TROUPE_E_NAME_TAKEN)
        service__refuse(at, error, "name", holder, troupe_ref_is_actor(holder) ? "another actor has this name"
                                                                      : "another node has reserved this name");
    else if (error == TROUPE_E_INVALID)
        service__refuse(at, error, "ref", nobody, "a node claims names of 1 to %d bytes of UTF-8 without control "
               "characters, for its own actors", TROUPE_NAME_BYTES_MAX);
    else if (error != 0)
        service__refuse_engine(at, error, NULL);
    else
        service__answer(at, 200, name_doc(at->request->name, ref));
}

void service__claim(const struct at_hand *at)
{
    troupe_home node;
    json_t *body = service__read_body(at);
    if (body == NULL)
        return;
    const json_t *text = json_object_get(body, "node");
    if (!json_is_string(text) || troupe_home_parse(json_string_value(text), json_string_length(text), &node) != 0)
        service__refuse(at, TROUPE_E_SCHEMA, "node", nobody, "node must be the id of a node");
    else if (service__must_be_own(at, node))
        claim_for(at, body);
    json_decref(body);
}

void service__find(const struct at_hand *at)
{
    troupe_ref ref;
    int error = registry_find(at->service->registry, at->request->name, &ref);
    if (error == TROUPE_E_NOT_FOUND)
        service__refuse(at, error, "name", nobody, "no actor has this name");
    else if (error != 0)
        service__refuse_engine(at, error, NULL);
    else
        service__answer(at, 200, name_doc(at->request->name, ref));
}

void service__release(const struct at_hand *at)
{
    troupe_ref ref = {0};
    if (at->request->ref.ptr != NULL && !read_ref(at, at->request->ref.ptr, at->request->ref.len, &ref))
        return;
    if (!must_admit(at, at->request->seq, at->request->floor))
        return;
    int error = registry_release(at->service->registry, at->asker, at->request->name, ref);
    if (error == TROUPE_E_NOT_FOUND)
        service__refuse(at, error, "name", nobody, "this node's actor does not have this name");
    else if (error != 0)
        service__refuse_engine(at, error, NULL);
    else
        service__answer(at, 204, NULL);
}

/* ---- many ---- */

struct item {
    troupe_view name;
    troupe_ref ref;
};

static bool read_item(const json_t *json, struct item *ret_item)
{
    const json_t *name = json_object_get(json, "name"), *ref = json_object_get(json, "ref");
    if (!json_is_string(name) || !json_is_string(ref))
        return false;
    ret_item->name = (troupe_view){json_string_value(name), json_string_length(name)};
    return troupe_ref_parse(json_string_value(ref), json_string_length(ref), &ret_item->ref) == 0 &&
           troupe_ref_is_actor(ret_item->ref);
}

static bool is_list(const json_t *list)
{
    struct item item;
    const json_t *json;
    size_t i;
    if (list != NULL && !json_is_array(list))
        return false;
    json_array_foreach(list, i, json) {
        if (!read_item(json, &item))
            return false;
    }
    return true;
}

static void note_refused(json_t *refused, const struct item *item, int error, troupe_ref holder)
{
    char text[TROUPE_REF_TEXT_MAX];
    troupe_ref_format(holder, text);
    bool has_holder = error == TROUPE_E_NAME_TAKEN && troupe_ref_is_actor(holder);
    json_array_append_new(refused, json_pack("{s:s%, s:s, s:s*}", "name", item->name.ptr, item->name.len, "code",
                                             troupe_error_lookup(error)->code, "actor", has_holder ? text : NULL));
}

/* False: the node is no member. */
static bool claim_all(const struct at_hand *at, const json_t *list, json_t *refused)
{
    const json_t *json;
    size_t i;
    json_array_foreach(list, i, json) {
        struct item item;
        troupe_ref holder;
        (void)read_item(json, &item);
        int error = registry_claim(at->service->registry, at->asker, item.name, item.ref,
                                   json_is_true(json_object_get(json, "held")), at->now_ms, &holder);
        if (error == TROUPE_E_NOT_MEMBER)
            return false;
        if (error != 0)
            note_refused(refused, &item, error, holder);
    }
    return true;
}

/* What this node's actors do not have is as good as given back. */
static bool release_all(const struct at_hand *at, const json_t *list)
{
    const json_t *json;
    size_t i;
    json_array_foreach(list, i, json) {
        struct item item;
        (void)read_item(json, &item);
        if (registry_release(at->service->registry, at->asker, item.name, item.ref) == TROUPE_E_NOT_MEMBER)
            return false;
    }
    return true;
}

static void name_all(const struct at_hand *at, const json_t *body)
{
    const json_t *claims = json_object_get(body, "claim"), *releases = json_object_get(body, "release");
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(body, "seq"));
    uint64_t floor = (uint64_t)json_integer_value(json_object_get(body, "floor"));
    if (!is_list(claims) || !is_list(releases) || json_array_size(claims) + json_array_size(releases) > SERVICE_BATCH_MAX) {
        service__refuse(at, TROUPE_E_SCHEMA, NULL, nobody, "claim and release must be lists of {name, ref}, of %d names "
                        "at most together", SERVICE_BATCH_MAX);
        return;
    }
    if (!must_admit(at, seq, floor))
        return;
    json_t *refused = json_array();
    if (release_all(at, releases) && claim_all(at, claims, refused)) {
        service__answer(at, 200, json_pack("{s:o}", "refused", refused));
        return;
    }
    json_decref(refused);
    service__refuse_engine(at, TROUPE_E_NOT_MEMBER, NULL);
}

void service__names(const struct at_hand *at)
{
    troupe_home node;
    if (!service__read_node(at, &node) || !service__must_be_own(at, node))
        return;
    json_t *body = service__read_body(at);
    if (body == NULL)
        return;
    name_all(at, body);
    json_decref(body);
}
