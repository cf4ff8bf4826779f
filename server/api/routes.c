/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of the route table. To add a route, add a row and its handler; /openapi.json has it then too. A row ends
 * with who may use it: PUBLIC or NEEDS(scope, target). */
#include "api/assets.h"
#include "api/handlers.h"
#include "api/router.h"

#define PARAMS static const struct api_param
#define RESULTS static const struct api_result
#define PROBLEMS static const unsigned short

/* What a request must be granted; see docs/security.md, which has the same as a table. */
#define NEEDS(SCOPE, TARGET) .scope = ACCESS_##SCOPE, .target = API_TARGET_##TARGET
#define PUBLIC .scope = ACCESS_PUBLIC
/* No token, but the cluster's secret; served by the control thread. */
#define SECRET .scope = ACCESS_PUBLIC, .target = API_TARGET_SECRET, .on_control = true

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
    {"node", "{\"type\":\"string\",\"examples\":[\"n.4tq8v1m02x7kc\"]}", "The id of a node."},
    {"group", "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_.:-]{1,64}$\",\"examples\":[\"room-1\"]}",
     "The name of the group."},
    {"timer", "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_.:-]{1,64}$\",\"examples\":[\"nightly\"]}",
     "The id of a timer, which the client chooses."},
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

PARAMS cast_params[] = {
    {"delay", DURATION, "Send it so much later: a timer of the actor's, which ends with it; at most 1000h."},
    {NULL, NULL, NULL},
};

PARAMS trace_stream_params[] = {
    {"types", "{\"type\":\"string\",\"examples\":[\"added,order.*\"]}",
     "Only events of these types: up to 8 with commas between; one may end with a *."},
    {"from", "{\"type\":\"string\",\"enum\":[\"now\",\"oldest\"],\"default\":\"oldest\"}",
     "Where to begin: with the oldest event that is kept, or with what comes."},
    {"after", "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{16}\\\\.[0-9]+$\"}",
     "Begin behind this event; the header Last-Event-ID does the same and wins."},
    {"ticket", STRING, "A ticket of POST /v1/tickets, for clients that cannot send Authorization."},
    {NULL, NULL, NULL},
};

#define SCOPE_PARAM {"scope", "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_.:-]{0,64}$\",\"default\":\"\"}", \
                     "The scope of the group; empty for the default one."}

PARAMS group_list_params[] = {
    {"scope", "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_.:-]{0,64}$\"}",
     "Only groups of this scope; empty for the default one."},
    {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}", "The length of a page at most."},
    {"cursor", STRING, "The member next of the page before."},
    {NULL, NULL, NULL},
};

PARAMS group_page_params[] = {
    SCOPE_PARAM,
    {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}", "The length of a page at most."},
    {"cursor", STRING, "The member next of the page before."},
    {NULL, NULL, NULL},
};

PARAMS scope_params[] = {SCOPE_PARAM, {NULL, NULL, NULL}};

PARAMS group_call_params[] = {
    SCOPE_PARAM,
    {"timeout", DURATION, "How long to wait for the replies; 5s unless told, at most 10m."},
    {NULL, NULL, NULL},
};

PARAMS group_stream_params[] = {
    SCOPE_PARAM,
    {"types", "{\"type\":\"string\",\"examples\":[\"added,order.*\"]}",
     "Only events of these types: up to 8 with commas between; one may end with a *."},
    {"from", "{\"type\":\"string\",\"enum\":[\"now\",\"oldest\"],\"default\":\"now\"}",
     "Where to begin: with what comes, or with the oldest event that is kept."},
    {"after", "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{16}\\\\.[0-9]+$\"}",
     "Begin behind this event; the header Last-Event-ID does the same and wins."},
    {"ticket", STRING, "A ticket of POST /v1/tickets, for clients that cannot send Authorization."},
    {NULL, NULL, NULL},
};

PARAMS stream_params[] = {
    {"types", "{\"type\":\"string\",\"examples\":[\"added,order.*\"]}",
     "Only events of these types: up to 8 with commas between; one may end with a *."},
    {"from", "{\"type\":\"string\",\"enum\":[\"now\",\"oldest\"],\"default\":\"now\"}",
     "Where to begin: with what comes, or with the oldest event that is kept."},
    {"after", "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{16}\\\\.[0-9]+$\"}",
     "Begin behind this event; the header Last-Event-ID does the same and wins."},
    {"ticket", STRING, "A ticket of POST /v1/tickets, for clients that cannot send Authorization."},
    {NULL, NULL, NULL},
};

PARAMS identity_params[] = {
    {"nonce", "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{32}$\"}", "Bytes of the asker, which the proof covers."},
    {NULL, NULL, NULL},
};

PARAMS watch_params[] = {
    {"revision", "{\"type\":\"integer\",\"minimum\":0,\"default\":0}", "Events after this one."},
    {"wait", DURATION, "How long to wait when there are none yet; at once unless told, at most 30s."},
    {NULL, NULL, NULL},
};

PARAMS release_params[] = {
    {"ref", STRING, "The actor that has the name; without it a reservation is given back."},
    {"seq", "{\"type\":\"integer\",\"minimum\":0}", "The number of this call; a node counts its name calls up."},
    {"floor", "{\"type\":\"integer\",\"minimum\":0}", "The lowest number that the node still waits for."},
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
RESULTS group_page[] = {{200, "A page of groups.", json, "GroupPage"}, {0, NULL, NULL, NULL}};
RESULTS scope_page[] = {{200, "A page of scopes.", json, "GroupScopePage"}, {0, NULL, NULL, NULL}};
RESULTS group_members[] = {{200, "A page of members; empty when nobody is in it.", json, "GroupMemberPage"},
                           {0, NULL, NULL, NULL}};
RESULTS group_accepted[] = {{202, "What became of it, in numbers.", json, "GroupAccepted"}, {0, NULL, NULL, NULL}};
RESULTS group_replied[] = {{200, "A result of each member.", json, "GroupResults"}, {0, NULL, NULL, NULL}};
RESULTS name_page[] = {{200, "A page of names.", json, "NamePage"}, {0, NULL, NULL, NULL}};
RESULTS one_name[] = {{200, "The name and its holder.", json, "Name"}, {0, NULL, NULL, NULL}};
RESULTS behavior_page[] = {{200, "All behaviors.", json, "BehaviorPage"}, {0, NULL, NULL, NULL}};
RESULTS one_behavior[] = {{200, "The behavior.", json, "Behavior"}, {0, NULL, NULL, NULL}};
RESULTS node[] = {{200, "The node.", json, "Node"}, {0, NULL, NULL, NULL}};
RESULTS ticket[] = {{201, "The ticket.", json, "Ticket"}, {0, NULL, NULL, NULL}};
RESULTS version[] = {{200, "The version.", json, "Version"}, {0, NULL, NULL, NULL}};
RESULTS live[] = {{200, "Yes.", json, "Status"}, {0, NULL, NULL, NULL}};
RESULTS report[] = {
    {200, "The node is ready.", json, "Health"},
    {503, "The node is not ready.", json, "Health"},
    {0, NULL, NULL, NULL},
};
RESULTS metrics[] = {{200, "All metrics.", "text/plain", NULL}, {0, NULL, NULL, NULL}};
RESULTS openapi[] = {{200, "The document.", json, NULL}, {0, NULL, NULL, NULL}};
RESULTS streamed[] = {{200, "Events, until one side closes.", "text/event-stream", NULL}, {0, NULL, NULL, NULL}};
RESULTS registry_told[] = {{200, "The registry.", json, "Registry"}, {0, NULL, NULL, NULL}};
RESULTS identity_told[] = {{200, "Who is here, proven by Troupe-Proof.", json, "Identity"}, {0, NULL, NULL, NULL}};
RESULTS renewed[] = {{200, "The lease was renewed.", json, "Renewal"}, {0, NULL, NULL, NULL}};
RESULTS done[] = {{204, "It is done.", NULL, NULL}, {0, NULL, NULL, NULL}};
RESULTS members[] = {{200, "The members.", json, "MemberList"}, {0, NULL, NULL, NULL}};
RESULTS member_events[] = {{200, "What happened since, perhaps nothing.", json, "MemberEvents"}, {0, NULL, NULL, NULL}};
RESULTS claimed_many[] = {{200, "All but the refused ones.", json, "NamesResult"}, {0, NULL, NULL, NULL}};
RESULTS claimed[] = {{200, "The name is the actor's, or reserved.", json, "ClusterName"}, {0, NULL, NULL, NULL}};
RESULTS state_shown[] = {{200, "The state, as the behavior shows it.", json, NULL}, {0, NULL, NULL, NULL}};
RESULTS traced[] = {{200, "The trace has begun.", json, "Trace"}, {0, NULL, NULL, NULL}};
RESULTS timer_page[] = {{200, "The timers, those with an id first.", json, "TimerPage"}, {0, NULL, NULL, NULL}};
RESULTS one_timer[] = {{200, "The timer.", json, "Timer"}, {0, NULL, NULL, NULL}};
RESULTS page[] = {
    {200, "The page.", "text/html", NULL},
    {304, "The page has the tag that If-None-Match named.", NULL, NULL},
    {0, NULL, NULL, NULL},
};

RESULTS node_page[] = {{200, "All nodes.", json, "NodePage"}, {0, NULL, NULL, NULL}};
RESULTS one_member[] = {{200, "The node, as the registry knows it.", json, "ClusterNode"}, {0, NULL, NULL, NULL}};
RESULTS draining[] = {{202, "It will be told.", json, "Draining"}, {0, NULL, NULL, NULL}};
RESULTS relistened[] = {
    {202, "The port is bound, and is used in a moment.", json, "Relistened"}, {0, NULL, NULL, NULL},
};

PROBLEMS relisten_problems[] = {413, 415, 422, 503, 0};
PROBLEMS member_problems[] = {404, 410, 503, 0};
PROBLEMS spawn_problems[] = {409, 413, 415, 422, 429, 500, 503, 504, 0};
PROBLEMS actor_problems[] = {404, 410, 503, 0};
PROBLEMS stop_problems[] = {404, 410, 500, 503, 0};
PROBLEMS cast_problems[] = {404, 410, 413, 415, 422, 429, 503, 0};
/* 4 stands for 4XX: the application errors of behaviors. */
PROBLEMS call_problems[] = {404, 410, 413, 415, 422, 429, 4, 500, 503, 504, 0};
PROBLEMS read_problems[] = {404, 405, 410, 422, 429, 4, 500, 503, 504, 0};
PROBLEMS inspect_problems[] = {404, 409, 410, 500, 503, 504, 0};
PROBLEMS trace_problems[] = {404, 409, 410, 413, 415, 422, 429, 503, 504, 0};
PROBLEMS timer_problems[] = {404, 409, 410, 413, 415, 422, 429, 503, 504, 0};
PROBLEMS ticket_problems[] = {413, 415, 422, 429, 500, 503, 0};
PROBLEMS not_found[] = {404, 0};
PROBLEMS group_change_problems[] = {404, 410, 429, 503, 0};
PROBLEMS group_send_problems[] = {413, 415, 429, 503, 0};
PROBLEMS stream_problems[] = {429, 503, 0};
PROBLEMS actor_stream_problems[] = {404, 410, 429, 503, 0};
PROBLEMS registry_problems[] = {401, 403, 404, 409, 410, 412, 413, 415, 422, 429, 503, 0};
PROBLEMS not_ready[] = {503, 0};

static const struct api_route routes[] = {
    {API_POST, "/v1/actors/{ref}/call/{type}", "callActor", "Messages", "Call an actor and await its reply",
     calls_call, API_BODY_MESSAGE, NULL, call_params, replied, call_problems, NEEDS(MESSAGE, ACTOR)},
    {API_POST, "/v1/actors/{ref}/cast/{type}", "castActor", "Messages",
     "Send to an actor without awaiting a reply; application/x-ndjson is a batch, one body a line",
     calls_cast, API_BODY_MESSAGE, NULL, cast_params, accepted, cast_problems, NEEDS(MESSAGE, ACTOR)},
    {API_GET, "/v1/actors/{ref}/call/{type}", "readActor", "Messages",
     "Call an actor with a message type that changes nothing", calls_read, API_BODY_NONE, NULL, call_params, replied,
     read_problems, NEEDS(MESSAGE, ACTOR)},
    {API_POST, "/v1/actors", "spawnActor", "Actors", "Start an actor, or get the one that has the name",
     actors_spawn, API_BODY_DOCUMENT, "Spawn", NULL, spawned, spawn_problems, NEEDS(SPAWN, SPAWN)},
    {API_GET, "/v1/actors", "listActors", "Actors", "List actors; a page may be short while next is not null",
     actors_list, API_BODY_NONE, NULL, list_params, actor_page, NULL, NEEDS(READ, LIST)},
    {API_GET, "/v1/actors/{ref}", "getActor", "Actors", "Look at an actor", actors_get, API_BODY_NONE, NULL, NULL,
     one_actor, actor_problems, NEEDS(READ, ACTOR)},
    {API_DELETE, "/v1/actors/{ref}", "stopActor", "Actors", "End an actor", actors_stop, API_BODY_NONE, NULL,
     stop_params, stopped, stop_problems, NEEDS(STOP, ACTOR)},
    {API_GET, "/v1/actors/{ref}/state", "getState", "Actors", "Show the state of an actor, as its behavior writes it",
     inspect_state, API_BODY_NONE, NULL, NULL, state_shown, inspect_problems, NEEDS(ADMIN, ACTOR)},
    {API_POST, "/v1/actors/{ref}/suspend", "suspendActor", "Actors",
     "Let an actor handle no messages until it is resumed", inspect_suspend, API_BODY_NONE, NULL, NULL, done,
     inspect_problems, NEEDS(STOP, ACTOR)},
    {API_POST, "/v1/actors/{ref}/resume", "resumeActor", "Actors", "Let a suspended actor go on", inspect_resume,
     API_BODY_NONE, NULL, NULL, done, inspect_problems, NEEDS(STOP, ACTOR)},
    {API_POST, "/v1/actors/{ref}/trace", "traceActor", "Events", "Trace the next messages of an actor", inspect_trace,
     API_BODY_DOCUMENT, "TraceRequest", NULL, traced, trace_problems, NEEDS(ADMIN, ACTOR)},
    {API_GET, "/v1/actors/{ref}/trace", "streamTrace", "Events", "Follow the trace of an actor, until it is over",
     events_trace, API_BODY_NONE, NULL, trace_stream_params, streamed, actor_stream_problems, NEEDS(ADMIN, ACTOR)},
    {API_DELETE, "/v1/actors/{ref}/trace", "stopTrace", "Events", "End the trace of an actor", inspect_trace_stop,
     API_BODY_NONE, NULL, NULL, done, inspect_problems, NEEDS(ADMIN, ACTOR)},
    {API_GET, "/v1/actors/{ref}/timers", "listTimers", "Timers", "List the timers of an actor", timers_list,
     API_BODY_NONE, NULL, NULL, timer_page, inspect_problems, NEEDS(READ, ACTOR)},
    {API_GET, "/v1/actors/{ref}/timers/{timer}", "getTimer", "Timers", "Look at a timer that a client has set",
     timers_get, API_BODY_NONE, NULL, NULL, one_timer, inspect_problems, NEEDS(READ, ACTOR)},
    {API_PUT, "/v1/actors/{ref}/timers/{timer}", "setTimer", "Timers", "Send to an actor later, or again and again",
     timers_set, API_BODY_DOCUMENT, "TimerRequest", NULL, one_timer, timer_problems, NEEDS(MESSAGE, ACTOR)},
    {API_DELETE, "/v1/actors/{ref}/timers/{timer}", "cancelTimer", "Timers", "Cancel a timer that a client has set",
     timers_cancel, API_BODY_NONE, NULL, NULL, done, inspect_problems, NEEDS(STOP, ACTOR)},
    {API_GET, "/v1/groups", "listGroups", "Groups", "List the groups that have members", groups_list, API_BODY_NONE,
     NULL, group_list_params, group_page, NULL, NEEDS(READ, LIST)},
    {API_GET, "/v1/groups/{group}", "listGroupMembers", "Groups",
     "List the members of a group, in the order of joining", groups_members, API_BODY_NONE, NULL,
     group_page_params, group_members, NULL, NEEDS(READ, GROUP)},
    {API_PUT, "/v1/groups/{group}/members/{ref}", "joinGroup", "Groups", "Make an actor a member of a group",
     groups_join, API_BODY_NONE, NULL, scope_params, done, group_change_problems, NEEDS(MESSAGE, MEMBER)},
    {API_DELETE, "/v1/groups/{group}/members/{ref}", "leaveGroup", "Groups", "Take an actor out of a group",
     groups_leave, API_BODY_NONE, NULL, scope_params, done, group_change_problems, NEEDS(MESSAGE, MEMBER)},
    {API_POST, "/v1/groups/{group}/cast/{type}", "castGroup", "Groups", "Send to all members of a group", groups_cast,
     API_BODY_MESSAGE, NULL, scope_params, group_accepted, group_send_problems, NEEDS(MESSAGE, GROUP)},
    {API_POST, "/v1/groups/{group}/call/{type}", "callGroup", "Groups",
     "Call all members of a group and await a result of each", groups_call, API_BODY_MESSAGE, NULL, group_call_params,
     group_replied, group_send_problems, NEEDS(MESSAGE, GROUP)},
    {API_GET, "/v1/groups/{group}/events", "streamGroup", "Groups", "Follow the joins and leaves of a group",
     groups_events, API_BODY_NONE, NULL, group_stream_params, streamed, stream_problems, NEEDS(READ, GROUP)},
    {API_GET, "/v1/scopes", "listScopes", "Groups", "List the scopes that have groups", groups_scopes, API_BODY_NONE,
     NULL, page_params, scope_page, NULL, NEEDS(READ, NODE)},
    {API_GET, "/v1/scopes/events", "streamScope", "Groups", "Follow the joins and leaves of all groups of a scope",
     groups_scope_events, API_BODY_NONE, NULL, group_stream_params, streamed, stream_problems, NEEDS(READ, NODE)},
    {API_GET, "/v1/names", "listNames", "Names", "List names", names_list, API_BODY_NONE, NULL, page_params, name_page,
     NULL, NEEDS(READ, LIST)},
    {API_GET, "/v1/names/{name}", "getName", "Names", "Find the holder of a name", names_get, API_BODY_NONE, NULL,
     NULL, one_name, not_found, NEEDS(READ, NAME)},
    {API_GET, "/v1/behaviors", "listBehaviors", "Behaviors", "List what actors of this node can be", behaviors_list,
     API_BODY_NONE, NULL, NULL, behavior_page, NULL, NEEDS(READ, LIST)},
    {API_GET, "/v1/behaviors/{behavior}", "getBehavior", "Behaviors", "Look at a behavior and its message types",
     behaviors_get, API_BODY_NONE, NULL, NULL, one_behavior, not_found, NEEDS(READ, BEHAVIOR)},
    {API_GET, "/v1/node", "getNode", "Node", "Look at this node", node_get, API_BODY_NONE, NULL, NULL, node, NULL,
     NEEDS(READ, NODE)},
    {API_POST, "/v1/node/relisten", "relisten", "Node", "Listen on another port from now on", node_relisten,
     API_BODY_DOCUMENT, "Relisten", NULL, relistened, relisten_problems, NEEDS(ADMIN, NODE)},
    {API_GET, "/v1/nodes", "listNodes", "Node", "List the nodes of the cluster", nodes_list, API_BODY_NONE, NULL, NULL,
     node_page, NULL, NEEDS(READ, NODE)},
    {API_GET, "/v1/nodes/{node}", "getMember", "Node", "Look at a node of the cluster", nodes_get, API_BODY_NONE, NULL,
     NULL, one_member, member_problems, NEEDS(READ, NODE)},
    {API_POST, "/v1/nodes/{node}/drain", "drainNode", "Node", "Let a node finish its work and end", nodes_drain,
     API_BODY_NONE, NULL, NULL, draining, member_problems, NEEDS(ADMIN, NODE)},
    {API_GET, "/v1/ws", "openSession", NULL, "Begin a WebSocket session; /asyncapi.json tells what it is", ws_open,
     API_BODY_NONE, NULL, NULL, NULL, NULL, NEEDS(TOKEN, NODE)},
    {API_GET, "/v1/events", "streamEvents", "Events", "Follow what happens in the cluster", events_cluster,
     API_BODY_NONE, NULL, stream_params, streamed, stream_problems, NEEDS(READ, NODE)},
    {API_GET, "/v1/events/dead", "streamDead", "Events", "Follow the messages that nobody took", events_dead,
     API_BODY_NONE, NULL, stream_params, streamed, stream_problems, NEEDS(READ, NODE)},
    {API_GET, "/v1/actors/{ref}/events", "streamActor", "Events", "Follow what an actor publishes, until it ends",
     events_actor, API_BODY_NONE, NULL, stream_params, streamed, actor_stream_problems, NEEDS(READ, ACTOR)},
    {API_POST, "/v1/tickets", "createTicket", "Access", "Exchange the token for a ticket: good once, within 30 seconds",
     tickets_create, API_BODY_DOCUMENT, "TicketRequest", NULL, ticket, ticket_problems, NEEDS(TOKEN, NODE)},
    {API_GET, "/v1/registry", "getRegistry", "Registry", "Ask for the cluster and its registry", registry_info,
     API_BODY_NONE, NULL, NULL, registry_told, registry_problems, PUBLIC, .on_control = true},
    {API_GET, "/v1/registry/identity", "getIdentity", "Registry", "Ask who is at this address", registry_identity,
     API_BODY_NONE, NULL, identity_params, identity_told, not_ready, PUBLIC, .on_control = true},
    {API_GET, "/v1/registry/nodes", "listMembers", "Registry", "List the members", registry_nodes, API_BODY_NONE, NULL,
     NULL, members, registry_problems, SECRET},
    {API_PUT, "/v1/registry/nodes/{node}", "registerNode", "Registry", "Join, or give a new record", registry_put_node,
     API_BODY_DOCUMENT, "Member", NULL, renewed, registry_problems, SECRET},
    {API_DELETE, "/v1/registry/nodes/{node}", "leaveNode", "Registry", "Leave", registry_delete_node, API_BODY_NONE,
     NULL, NULL, done, registry_problems, SECRET},
    {API_POST, "/v1/registry/nodes/{node}/renew", "renewNode", "Registry", "Renew the lease", registry_renew_node,
     API_BODY_DOCUMENT, "RenewRequest", NULL, renewed, registry_problems, SECRET},
    {API_POST, "/v1/registry/nodes/{node}/drain", "askDrain", "Registry", "Ask that a member drains",
     registry_drain_node, API_BODY_NONE, NULL, NULL, done, registry_problems, SECRET},
    {API_POST, "/v1/registry/nodes/{node}/names", "claimNames", "Registry", "Claim many names, and give others back",
     registry_put_names, API_BODY_DOCUMENT, "NamesRequest", NULL, claimed_many, registry_problems, SECRET},
    {API_GET, "/v1/registry/watch", "watchMembers", "Registry", "Wait for changes of the member list", registry_watch,
     API_BODY_NONE, NULL, watch_params, member_events, registry_problems, SECRET},
    {API_PUT, "/v1/registry/names/{name}", "claimName", "Registry", "Claim or reserve a name", registry_put_name,
     API_BODY_DOCUMENT, "ClaimRequest", NULL, claimed, registry_problems, SECRET},
    {API_GET, "/v1/registry/names/{name}", "findName", "Registry", "Find the holder of a name in the cluster",
     registry_get_name, API_BODY_NONE, NULL, NULL, claimed, registry_problems, SECRET},
    {API_DELETE, "/v1/registry/names/{name}", "releaseName", "Registry", "Give a name back", registry_delete_name,
     API_BODY_NONE, NULL, release_params, done, registry_problems, SECRET},
    {API_GET, "/version", "getVersion", "Node", "Tell the version", node_version, API_BODY_NONE, NULL, NULL, version,
     NULL, PUBLIC},
    {API_GET, "/livez", "getLive", "Health", "Is the process alive?", health_live, API_BODY_NONE, NULL, NULL, live,
     NULL, PUBLIC},
    {API_GET, "/readyz", "getReady", "Health", "Does the node take work?", health_ready, API_BODY_NONE, NULL, NULL,
     live, not_ready, PUBLIC},
    {API_GET, "/healthz", "getHealth", "Health", "Report the node's health", health_report, API_BODY_NONE, NULL, NULL,
     report, NULL, NEEDS(READ, NODE)},
    {API_GET, "/metrics", "getMetrics", "Health", "Metrics in the text format of Prometheus", metrics_get,
     API_BODY_NONE, NULL, NULL, metrics, NULL, NEEDS(READ, NODE)},
    {API_GET, "/openapi.json", "getOpenapi", "Node", "This document", openapi_get, API_BODY_NONE, NULL, NULL, openapi,
     NULL, PUBLIC},
    {API_GET, "/asyncapi.json", "getAsyncapi", "Node", "The document of WebSocket sessions", asyncapi_get,
     API_BODY_NONE, NULL, NULL, openapi, NULL, PUBLIC},
    {API_GET, "/", "getPage", "Node", "A page for people", assets_serve, API_BODY_NONE, NULL, NULL, page, not_found,
     PUBLIC},
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
