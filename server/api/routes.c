/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of the route table. To add a route, add a row and its handler; /openapi.json has it then too. */
#include "api/assets.h"
#include "api/handlers.h"
#include "api/router.h"

#define PARAMS static const struct api_param
#define RESULTS static const struct api_result
#define PROBLEMS static const unsigned short

#define DURATION "{\"type\":\"string\",\"pattern\":\"^[0-9]+(ms|s|m|h)$\",\"examples\":[\"500ms\",\"5s\",\"2m\"]}"
#define STRING "{\"type\":\"string\"}"

static const char json[] = "application/json";

PARAMS path_params[] = {
    {"ref", "{\"type\":\"string\",\"examples\":[\"@hits\",\"n.4tq8v1m02x7kc.3f.1\"]}",
     "An actor: its id, or @ and its name, percent-encoded."},
    {"type", "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_.:-]{1,64}$\",\"examples\":[\"add\"]}",
     "The message type: what the actor shall do."},
    {"name", "{\"type\":\"string\",\"maxLength\":255}", "The name, percent-encoded."},
    {"behavior", "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_.:-]{1,64}$\"}", "The name of the behavior."},
    {NULL, NULL, NULL},
};

PARAMS list_params[] = {
    {"behavior", STRING, "Only actors of this behavior."},
    {"name", STRING, "Only the actor that was spawned under this name."},
    {"state", "{\"type\":\"string\",\"enum\":[\"starting\",\"running\",\"draining\",\"stopping\",\"stopped\"]}",
     "Only actors in this state."},
    {"host", "{\"type\":\"string\",\"enum\":[\"native\"]}", "Only actors that run here."},
    {"node", STRING, "Only actors of this node."},
    {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}", "The length of a page at most."},
    {"cursor", STRING, "The member next of the page before."},
    {NULL, NULL, NULL},
};

PARAMS page_params[] = {
    {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}", "The length of a page at most."},
    {"cursor", STRING, "The member next of the page before."},
    {NULL, NULL, NULL},
};

PARAMS stop_params[] = {
    {"mode", "{\"type\":\"string\",\"enum\":[\"stop\",\"drain\",\"kill\"],\"default\":\"stop\"}",
     "stop: finish the running message. drain: finish all that was accepted. kill: at once."},
    {"reason", "{\"type\":\"string\",\"maxLength\":200}", "Words for those who watch the actor."},
    {"timeout", DURATION, "How long to wait for the end before 202; 5s unless told, at most 10m."},
    {NULL, NULL, NULL},
};

PARAMS call_params[] = {
    {"timeout", DURATION, "How long to wait for the reply; 5s unless told, at most 10m."},
    {NULL, NULL, NULL},
};

RESULTS spawned[] = {
    {200, "The name was taken and if_exists is return: its holder.", json, "Actor"},
    {201, "The actor, which has started.", json, "Actor"},
    {0, NULL, NULL, NULL},
};
RESULTS actor_page[] = {{200, "A page of actors.", json, "ActorPage"}, {0, NULL, NULL, NULL}};
RESULTS one_actor[] = {{200, "The actor.", json, "Actor"}, {0, NULL, NULL, NULL}};
RESULTS stopped[] = {
    {202, "The actor has not ended yet; it still will.", NULL, NULL},
    {204, "The actor has ended.", NULL, NULL},
    {0, NULL, NULL, NULL},
};
RESULTS accepted[] = {{202, "The mailbox took it.", json, "Accepted"}, {0, NULL, NULL, NULL}};
RESULTS replied[] = {
    {200, "The reply, with the content type that the actor gave it.", "*/*", NULL},
    {204, "The actor replied with no bytes.", NULL, NULL},
    {0, NULL, NULL, NULL},
};
RESULTS name_page[] = {{200, "A page of names.", json, "NamePage"}, {0, NULL, NULL, NULL}};
RESULTS one_name[] = {{200, "The name and its holder.", json, "Name"}, {0, NULL, NULL, NULL}};
RESULTS behavior_page[] = {{200, "All behaviors.", json, "BehaviorPage"}, {0, NULL, NULL, NULL}};
RESULTS one_behavior[] = {{200, "The behavior.", json, "Behavior"}, {0, NULL, NULL, NULL}};
RESULTS node[] = {{200, "The node.", json, "Node"}, {0, NULL, NULL, NULL}};
RESULTS version[] = {{200, "The version.", json, "Version"}, {0, NULL, NULL, NULL}};
RESULTS live[] = {{200, "Yes.", json, "Status"}, {0, NULL, NULL, NULL}};
RESULTS report[] = {
    {200, "The node is ready.", json, "Health"},
    {503, "The node is not ready.", json, "Health"},
    {0, NULL, NULL, NULL},
};
RESULTS metrics[] = {{200, "All metrics.", "text/plain", NULL}, {0, NULL, NULL, NULL}};
RESULTS openapi[] = {{200, "The document.", json, NULL}, {0, NULL, NULL, NULL}};
RESULTS page[] = {
    {200, "The page.", "text/html", NULL},
    {304, "The page has the tag that If-None-Match named.", NULL, NULL},
    {0, NULL, NULL, NULL},
};

PROBLEMS spawn_problems[] = {409, 413, 415, 422, 429, 500, 503, 504, 0};
PROBLEMS actor_problems[] = {404, 410, 503, 0};
PROBLEMS stop_problems[] = {404, 410, 500, 503, 0};
PROBLEMS cast_problems[] = {404, 410, 413, 415, 422, 429, 503, 0};
/* 4 stands for 4XX: the application errors of behaviors. */
PROBLEMS call_problems[] = {404, 410, 413, 415, 422, 429, 4, 500, 503, 504, 0};
PROBLEMS read_problems[] = {404, 405, 410, 422, 429, 4, 500, 503, 504, 0};
PROBLEMS not_found[] = {404, 0};
PROBLEMS not_ready[] = {503, 0};

static const struct api_route routes[] = {
    {API_POST, "/v1/actors/{ref}/call/{type}", "callActor", "Messages", "Call an actor and await its reply",
     calls_call, API_BODY_MESSAGE, NULL, call_params, replied, call_problems},
    {API_POST, "/v1/actors/{ref}/cast/{type}", "castActor", "Messages",
     "Send to an actor without awaiting a reply; application/x-ndjson is a batch, one body a line",
     calls_cast, API_BODY_MESSAGE, NULL, NULL, accepted, cast_problems},
    {API_GET, "/v1/actors/{ref}/call/{type}", "readActor", "Messages",
     "Call an actor with a message type that changes nothing", calls_read, API_BODY_NONE, NULL, call_params, replied,
     read_problems},
    {API_POST, "/v1/actors", "spawnActor", "Actors", "Start an actor, or get the one that has the name",
     actors_spawn, API_BODY_DOCUMENT, "Spawn", NULL, spawned, spawn_problems},
    {API_GET, "/v1/actors", "listActors", "Actors", "List actors; a page may be short while next is not null",
     actors_list, API_BODY_NONE, NULL, list_params, actor_page, NULL},
    {API_GET, "/v1/actors/{ref}", "getActor", "Actors", "Look at an actor", actors_get, API_BODY_NONE, NULL, NULL,
     one_actor, actor_problems},
    {API_DELETE, "/v1/actors/{ref}", "stopActor", "Actors", "End an actor", actors_stop, API_BODY_NONE, NULL,
     stop_params, stopped, stop_problems},
    {API_GET, "/v1/names", "listNames", "Names", "List names", names_list, API_BODY_NONE, NULL, page_params, name_page,
     NULL},
    {API_GET, "/v1/names/{name}", "getName", "Names", "Find the holder of a name", names_get, API_BODY_NONE, NULL,
     NULL, one_name, not_found},
    {API_GET, "/v1/behaviors", "listBehaviors", "Behaviors", "List what actors of this node can be", behaviors_list,
     API_BODY_NONE, NULL, NULL, behavior_page, NULL},
    {API_GET, "/v1/behaviors/{behavior}", "getBehavior", "Behaviors", "Look at a behavior and its message types",
     behaviors_get, API_BODY_NONE, NULL, NULL, one_behavior, not_found},
    {API_GET, "/v1/node", "getNode", "Node", "Look at this node", node_get, API_BODY_NONE, NULL, NULL, node, NULL},
    {API_GET, "/v1/ws", "openSession", NULL, "Where WebSocket sessions will be served; refused by this version",
     ws_upgrade, API_BODY_NONE, NULL, NULL, NULL, NULL},
    {API_GET, "/version", "getVersion", "Node", "Tell the version", node_version, API_BODY_NONE, NULL, NULL, version,
     NULL},
    {API_GET, "/livez", "getLive", "Health", "Is the process alive?", health_live, API_BODY_NONE, NULL, NULL, live,
     NULL},
    {API_GET, "/readyz", "getReady", "Health", "Does the node take work?", health_ready, API_BODY_NONE, NULL, NULL,
     live, not_ready},
    {API_GET, "/healthz", "getHealth", "Health", "Report the node's health", health_report, API_BODY_NONE, NULL, NULL,
     report, NULL},
    {API_GET, "/metrics", "getMetrics", "Health", "Metrics in the text format of Prometheus", metrics_get,
     API_BODY_NONE, NULL, NULL, metrics, NULL},
    {API_GET, "/openapi.json", "getOpenapi", "Node", "This document", openapi_get, API_BODY_NONE, NULL, NULL, openapi,
     NULL},
    {API_GET, "/", "getPage", "Node", "A page for people", assets_serve, API_BODY_NONE, NULL, NULL, page, not_found},
};

const struct api_route *router_at(unsigned i)
{
    return i < sizeof routes / sizeof routes[0] ? &routes[i] : NULL;
}

const struct api_param *router_path_param(troupe_view name)
{
    for (const struct api_param *param = path_params; param->name != NULL; param++) {
        if (troupe_view_equal(name, troupe_view_of(param->name)))
            return param;
    }
    return NULL;
}
