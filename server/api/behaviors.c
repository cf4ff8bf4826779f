/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/behaviors: what actors of this node can do, with the schemas of their messages. */
#include <string.h>

#include <jansson.h>

#include "access/access.h"
#include "api/contract.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "base/clock.h"

/* A schema is a literal of the behavior; one that is not JSON is shown as null. */
static json_t *schema_doc(const char *schema)
{
    json_t *doc = schema != NULL ? json_loads(schema, JSON_DECODE_ANY, NULL) : NULL;
    return doc != NULL ? doc : json_null();
}

static json_t *type_doc(const troupe_type *type)
{
    return json_pack("{s:s, s:s?, s:b, s:b, s:b, s:o, s:o}", "name", type->name, "summary", type->summary,
                     "read_only", (type->flags & TROUPE_TYPE_READ_ONLY) != 0,
                     "idempotent", (type->flags & TROUPE_TYPE_IDEMPOTENT) != 0,
                     "cast", (type->flags & TROUPE_TYPE_CAST) != 0,
                     "body_schema", schema_doc(type->body_schema), "reply_schema", schema_doc(type->reply_schema));
}

/* ---- a behavior ---- */

static json_t *types_doc(const troupe_behavior *behavior)
{
    json_t *types = json_array();
    for (uint32_t i = 0; types != NULL && i < behavior->types_count; i++) {
        if (json_array_append_new(types, type_doc(&behavior->types[i])) != 0) {
            json_decref(types);
            types = NULL;
        }
    }
    return types;
}

static json_t *stats_doc(troupe_system *system, const troupe_behavior *behavior)
{
    troupe_behavior_stats s;
    troupe_system_behavior_stats(system, behavior, &s);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "spawned", (json_int_t)s.spawned, "ended", (json_int_t)s.ended,
                     "failed", (json_int_t)s.failed, "messages", (json_int_t)s.messages, "turns", (json_int_t)s.turns,
                     "busy_ns", (json_int_t)s.busy_ns);
}

static uint64_t actors_of(troupe_system *system, const troupe_behavior *behavior)
{
    troupe_behavior_stats stats;
    troupe_system_behavior_stats(system, behavior, &stats);
    return stats.actors;
}

/* When it was loaded; null: it was made known by something else than the node. */
static json_t *loaded_at_doc(const struct contract *contract)
{
    char text[CLOCK_TEXT_BYTES];
    if (contract == NULL)
        return json_null();
    clock_format(contract->loaded_at_ms, text);
    return json_string(text);
}

/* Versions that were replaced and have actors still, the oldest first. */
static json_t *older_doc(troupe_system *system, const troupe_behavior *behavior)
{
    troupe_installed installed;
    json_t *older = json_array();
    for (uint32_t i = 0; older != NULL && troupe_system_installed_at(system, i, &installed); i++) {
        uint64_t actors;
        if (!installed.is_replaced || strcmp(installed.behavior->name, behavior->name) != 0 ||
            (actors = actors_of(system, installed.behavior)) == 0)
            continue;
        if (json_array_append_new(older, json_pack("{s:s, s:o, s:I}", "version", installed.behavior->version,
                                                   "loaded_at", loaded_at_doc(installed.host), "actors",
                                                   (json_int_t)actors)) != 0) {
            json_decref(older);
            older = NULL;
        }
    }
    return older;
}

/* The name of its file, without the folder, which is no client's business. */
static const char *file_of(const struct contract *contract)
{
    const char *path = contract != NULL ? contract->file : NULL;
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    return slash != NULL ? slash + 1 : path;
}

static json_t *behavior_doc(troupe_system *system, const troupe_behavior *behavior, const struct contract *contract)
{
    return json_pack("{s:s, s:s, s:s?, s:b, s:o, s:o, s:s?, s:o, s:I, s:o, s:o, s:b}", "name", behavior->name,
                     "version", behavior->version, "summary", behavior->summary, "any_type",
                     (behavior->flags & TROUPE_BEHAVIOR_ANY_TYPE) != 0, "args_schema",
                     schema_doc(behavior->args_schema), "types", types_doc(behavior), "file", file_of(contract),
                     "loaded_at", loaded_at_doc(contract), "actors", (json_int_t)actors_of(system, behavior),
                     "older", older_doc(system, behavior), "stats", stats_doc(system, behavior), "has_view",
                     behavior->view != NULL);
}

void behaviors_list(struct api_request *req)
{
    troupe_system *system = req->env->system;
    troupe_installed installed;
    json_t *items = json_array();
    for (uint32_t i = 0; items != NULL && troupe_system_installed_at(system, i, &installed); i++) {
        const struct access_target target = {.behavior = troupe_view_of(installed.behavior->name)};
        if (!installed.is_replaced && access_allows(req->token, ACCESS_READ, &target) &&
            json_array_append_new(items, behavior_doc(system, installed.behavior, installed.host)) != 0) {
            json_decref(items);
            items = NULL;
        }
    }
    api_reply_json(req, 200, items == NULL ? NULL : json_pack("{s:o, s:n}", "items", items, "next"), NULL, 0);
}

/* The one of this name that new actors get. */
static bool find_current(const troupe_system *system, troupe_view name, troupe_installed *ret_installed)
{
    for (uint32_t i = 0; troupe_system_installed_at(system, i, ret_installed); i++) {
        if (!ret_installed->is_replaced && troupe_view_equal(troupe_view_of(ret_installed->behavior->name), name))
            return true;
    }
    return false;
}

void behaviors_get(struct api_request *req)
{
    troupe_view name = req->params[0];
    troupe_installed installed;
    if (!find_current(req->env->system, name, &installed)) {
        api_refuse(req, TROUPE_E_NOT_FOUND, "behavior", "this node has no behavior %.*s; GET /v1/behaviors lists "
                   "what it has", (int)(name.len < 255 ? name.len : 255), name.ptr);
        return;
    }
    api_reply_json(req, 200, behavior_doc(req->env->system, installed.behavior, installed.host), NULL, 0);
}
