/* SPDX-License-Identifier: Apache-2.0 */
#include "api/openapi.h"

#include <stdio.h>
#include <string.h>

#include "api/handlers.h"
#include "api/reply.h"
#include "api/router.h"

/* Every route may be refused with these: bad path, query or head; Origin; Host; the address' rate. */
static const unsigned short common_problems[] = {400, 403, 421, 429, 0};

/* And those that want a token: none or a wrong one. (403 and 429 are there already.) */
static const unsigned short token_problems[] = {401, 0};

static const char *const target_words[] = {
    [API_TARGET_NODE] = "node", [API_TARGET_ACTOR] = "actor", [API_TARGET_NAME] = "name",
    [API_TARGET_BEHAVIOR] = "behavior", [API_TARGET_SPAWN] = "spawn", [API_TARGET_LIST] = "list",
    [API_TARGET_SECRET] = "secret", [API_TARGET_GROUP] = "group", [API_TARGET_MEMBER] = "member",
};

static const struct {
    const char *name;
    const char *summary;
} tags[] = {
    {"Actors", "Start, list, look at and end actors."},
    {"Messages", "Send to actors, with or without awaiting a reply."},
    {"Names", "Who has which name."},
    {"Groups", "Named sets of actors: who is in them, sending to all, asking all."},
    {"Timers", "Messages that actors are sent later, or again and again."},
    {"Events", "Follow actors and the cluster, as server-sent events."},
    {"Behaviors", "What actors can be, and the message types they take."},
    {"Node", "This node."},
    {"Access", "Who may do what."},
    {"Registry",
     "What nodes ask each other; all but two routes take the cluster's secret. docs/registry.md tells more."},
    {"Health", "For probes and monitoring."},
};

static json_t *param_doc(const struct api_param *param, bool in_path)
{
    json_t *schema = json_loads(param->schema, 0, NULL);
    return json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", param->name, "in", in_path ? "path" : "query",
                     "required", in_path, "description", param->summary, "schema", schema);
}

/* The parameters of a row: those that stand in its path, then those of its query. */
static json_t *params_doc(const struct api_route *route)
{
    json_t *list = json_array();
    int failed = list == NULL;
    for (const char *at = strchr(route->path, '{'); at != NULL && !failed; at = strchr(at + 1, '{')) {
        troupe_view name = {at + 1, strcspn(at + 1, "}")};
        const struct api_param *param = router_path_param(name);
        failed = param == NULL || json_array_append_new(list, param_doc(param, true)) != 0;
    }
    for (const struct api_param *param = route->query; param != NULL && param->name != NULL && !failed; param++)
        failed = json_array_append_new(list, param_doc(param, false)) != 0;
    if (failed) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *schema_ref(const char *name)
{
    char ref[96];
    if (name == NULL)
        return json_object();
    snprintf(ref, sizeof ref, "#/components/schemas/%s", name);
    return json_pack("{s:s}", "$ref", ref);
}

static json_t *content_doc(const char *content_type, const char *schema)
{
    return json_pack("{s:{s:o}}", content_type, "schema", schema_ref(schema));
}

static int add_problems(json_t *responses, const unsigned short *statuses)
{
    char key[8];
    for (; statuses != NULL && *statuses != 0; statuses++) {
        snprintf(key, sizeof key, *statuses < 10 ? "%uXX" : "%u", (unsigned)*statuses);
        if (json_object_get(responses, key) == NULL &&
            json_object_set_new(responses, key, json_pack("{s:s}", "$ref", "#/components/responses/Problem")) != 0)
            return -1;
    }
    return 0;
}

static bool wants_token(const struct api_route *route)
{
    return route->scope != ACCESS_PUBLIC && route->target != API_TARGET_SECRET;
}

static bool takes_ticket(const struct api_route *route)
{
    const struct api_param *param = route->query;
    while (param != NULL && param->name != NULL && strcmp(param->name, "ticket") != 0)
        param++;
    return param != NULL && param->name != NULL;
}

/* {} stands for a node without tokens, which lets everybody in. */
static json_t *security_doc(const struct api_route *route)
{
    if (route->target == API_TARGET_SECRET)
        return json_pack("[{s:[]}]", "secret");
    if (route->scope == ACCESS_PUBLIC)
        return json_array();
    if (takes_ticket(route))
        return json_pack("[{s:[]}, {s:[]}, {}]", "token", "ticket");
    return json_pack("[{s:[]}, {}]", "token");
}

/* What a grant must cover; see docs/security.md. */
static int add_access(json_t *doc, const struct api_route *route)
{
    bool is_secret = route->target == API_TARGET_SECRET;
    int failed = json_object_set_new(doc, "security", security_doc(route)) |
                 json_object_set_new(doc, "x-troupe-scope",
                                     json_string(is_secret ? "secret" : access_scope_word(route->scope)));
    if (wants_token(route))
        failed |= json_object_set_new(doc, "x-troupe-target", json_string(target_words[route->target]));
    return failed;
}

static json_t *responses_doc(const struct api_route *route)
{
    char key[8];
    json_t *responses = json_object();
    int failed = responses == NULL;
    for (const struct api_result *result = route->results; result->status != 0 && !failed; result++) {
        json_t *doc = json_pack("{s:s}", "description", result->summary);
        if (result->content_type != NULL)
            failed = json_object_set_new(doc, "content", content_doc(result->content_type, result->schema)) != 0;
        if (result->status == 201)
            failed |= json_object_set_new(doc, "headers", json_pack("{s:{s:s, s:{s:s}}}", "Location", "description",
                                          "The path of the actor.", "schema", "type", "string")) != 0;
        snprintf(key, sizeof key, "%u", result->status);
        failed |= json_object_set_new(responses, key, doc) != 0;
    }
    if (failed || add_problems(responses, common_problems) != 0 || add_problems(responses, route->problems) != 0 ||
        (wants_token(route) && add_problems(responses, token_problems) != 0)) {
        json_decref(responses);
        return NULL;
    }
    return responses;
}

static json_t *operation_doc(const struct api_route *route)
{
    json_t *doc = json_pack("{s:s, s:s, s:[s], s:o, s:o}", "operationId", route->operation, "summary", route->summary,
                            "tags", route->tag, "parameters", params_doc(route), "responses", responses_doc(route));
    int failed = doc == NULL || add_access(doc, route) != 0;
    if (route->body == API_BODY_DOCUMENT)
        failed |= json_object_set_new(doc, "requestBody", json_pack("{s:b, s:o}", "required", true, "content",
                                      content_doc("application/json", route->body_schema))) != 0;
    if (route->body == API_BODY_MESSAGE)
        failed |= json_object_set_new(doc, "requestBody", json_pack("{s:b, s:s, s:o}", "required", false,
                                      "description", "The message; passed on untouched with its content type.",
                                      "content", content_doc("*/*", NULL))) != 0;
    if (failed) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}

static json_t *paths_doc(void)
{
    static const char *const keys[] = {"", "get", "head", "post", "put", "delete", "options", "patch"};
    const struct api_route *route;
    json_t *paths = json_object();
    int failed = paths == NULL;
    for (unsigned i = 0; !failed && (route = router_at(i)) != NULL; i++) {
        if (route->tag == NULL)
            continue;
        json_t *path = json_object_get(paths, route->path);
        if (path == NULL) {
            failed = json_object_set_new(paths, route->path, json_object()) != 0;
            path = json_object_get(paths, route->path);
        }
        failed |= json_object_set_new(path, keys[route->method], operation_doc(route)) != 0;
    }
    if (failed) {
        json_decref(paths);
        return NULL;
    }
    return paths;
}

static json_t *schemes_doc(void)
{
    return json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s, s:s}, s:{s:s, s:s, s:s, s:s}}",
                     "token", "type", "http", "scheme", "bearer", "description",
                     "A token of the node's file. Its grants must cover x-troupe-scope and x-troupe-target.",
                     "ticket", "type", "apiKey", "in", "query", "name", "ticket", "description",
                     "A ticket of POST /v1/tickets, good once, for clients that cannot send the header.",
                     "secret", "type", "apiKey", "in", "header", "name", "Authorization", "description",
                     "Troupe-HMAC: the cluster's secret, for nodes.");
}

static json_t *components_doc(void)
{
    json_t *schemas = json_loads(openapi_schemas, JSON_REJECT_DUPLICATES, NULL);
    json_t *header = json_pack("{s:{s:s, s:{s:s}}}", "Retry-After", "description",
                               "Seconds to wait, with 429 and 503.", "schema", "type", "integer");
    json_t *problem = json_pack("{s:s, s:o, s:o}", "description",
                                "A problem (RFC 9457). code says what it is; detail says what to do.",
                                "headers", header, "content", content_doc("application/problem+json", "Problem"));
    return json_pack("{s:o, s:{s:o}, s:o}", "schemas", schemas, "responses", "Problem", problem, "securitySchemes",
                     schemes_doc());
}

static json_t *tags_doc(void)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (json_array_append_new(list, json_pack("{s:s, s:s}", "name", tags[i].name, "description",
                                                  tags[i].summary)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

int openapi_write(const char *version, const char *url, char **ret_text, size_t *ret_len)
{
    json_t *doc = json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s, s:s}], s:o, s:o, s:o}",
                            "openapi", "3.1.0", "info", "title", "Troupe", "version", version, "description",
                            "Actors by HTTP: start them, call them, watch them. Any node answers.",
                            "license", "name", "Apache-2.0", "identifier", "Apache-2.0",
                            "servers", "url", url, "description", "This node", "tags", tags_doc(),
                            "paths", paths_doc(), "components", components_doc());
    if (doc == NULL)
        return TROUPE_E_INTERNAL;
    char *text = json_dumps(doc, JSON_INDENT(1));
    json_decref(doc);
    if (text == NULL)
        return TROUPE_E_NO_MEMORY;
    *ret_text = text;
    *ret_len = strlen(text);
    return 0;
}

void openapi_get(struct api_request *req)
{
    api_reply(req, 200, "application/json", req->env->openapi, req->env->openapi_len, API_STATIC, NULL, 0);
}
