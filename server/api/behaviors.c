/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/behaviors: what actors of this node can do, with the schemas of their messages. */
#include <string.h>

#include <jansson.h>

#include "access/access.h"
#include "api/handlers.h"
#include "api/reply.h"

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

static json_t *behavior_doc(const troupe_behavior *behavior)
{
    json_t *types = json_array();
    for (uint32_t i = 0; types != NULL && i < behavior->types_count; i++) {
        if (json_array_append_new(types, type_doc(&behavior->types[i])) != 0) {
            json_decref(types);
            types = NULL;
        }
    }
    return json_pack("{s:s, s:s, s:s?, s:b, s:o}", "name", behavior->name, "version", behavior->version,
                     "summary", behavior->summary, "any_type", (behavior->flags & TROUPE_BEHAVIOR_ANY_TYPE) != 0,
                     "types", types);
}

void behaviors_list(struct api_request *req)
{
    const troupe_behavior *behavior;
    json_t *items = json_array();
    for (uint32_t i = 0; items != NULL && (behavior = troupe_system_behavior_at(req->env->system, i)) != NULL; i++) {
        const struct access_target target = {.behavior = troupe_view_of(behavior->name)};
        if (access_allows(req->token, ACCESS_READ, &target) &&
            json_array_append_new(items, behavior_doc(behavior)) != 0) {
            json_decref(items);
            items = NULL;
        }
    }
    api_reply_json(req, 200, items == NULL ? NULL : json_pack("{s:o, s:n}", "items", items, "next"), NULL, 0);
}

void behaviors_get(struct api_request *req)
{
    troupe_view name = req->params[0];
    const troupe_behavior *behavior = troupe_system_behavior(req->env->system, name);
    if (behavior == NULL) {
        api_refuse(req, TROUPE_E_NOT_FOUND, "behavior", "this node has no behavior %.*s; GET /v1/behaviors lists "
                   "what it has", (int)(name.len < 255 ? name.len : 255), name.ptr);
        return;
    }
    api_reply_json(req, 200, behavior_doc(behavior), NULL, 0);
}
