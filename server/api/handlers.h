/* SPDX-License-Identifier: Apache-2.0
 *
 * The handlers that the route table names, one resource, one file. Each answers its request once, now or later.
 *
 * Thread: the request's. */
#ifndef TROUPE_SERVER_HANDLERS_H
#define TROUPE_SERVER_HANDLERS_H

#include "api/api.h"

void actors_spawn(struct api_request *req);
void actors_list(struct api_request *req);
void actors_get(struct api_request *req);
void actors_stop(struct api_request *req);

void calls_cast(struct api_request *req);
void calls_call(struct api_request *req);
void calls_read(struct api_request *req);

void names_list(struct api_request *req);
void names_get(struct api_request *req);

void behaviors_list(struct api_request *req);
void behaviors_get(struct api_request *req);

void node_get(struct api_request *req);
void node_version(struct api_request *req);
void node_relisten(struct api_request *req);

void nodes_list(struct api_request *req);
void nodes_get(struct api_request *req);
void nodes_drain(struct api_request *req);

void health_live(struct api_request *req);
void health_ready(struct api_request *req);
void health_report(struct api_request *req);

void metrics_get(struct api_request *req);

void registry_info(struct api_request *req);
void registry_identity(struct api_request *req);
void registry_put_node(struct api_request *req);
void registry_renew_node(struct api_request *req);
void registry_delete_node(struct api_request *req);
void registry_drain_node(struct api_request *req);
void registry_nodes(struct api_request *req);
void registry_watch(struct api_request *req);
void registry_put_names(struct api_request *req);
void registry_put_name(struct api_request *req);
void registry_get_name(struct api_request *req);
void registry_delete_name(struct api_request *req);

void tickets_create(struct api_request *req);

void openapi_get(struct api_request *req);
void asyncapi_get(struct api_request *req);

void ws_open(struct api_request *req);
void events_cluster(struct api_request *req);
void events_actor(struct api_request *req);

/* Answer by the events of a topic, which is borrowed. */
void events_topic(struct api_request *req, troupe_topic *topic);

void groups_list(struct api_request *req);
void groups_scopes(struct api_request *req);
void groups_members(struct api_request *req);
void groups_join(struct api_request *req);
void groups_leave(struct api_request *req);
void groups_cast(struct api_request *req);
void groups_call(struct api_request *req);
void groups_events(struct api_request *req);
void groups_scope_events(struct api_request *req);
void events_dead(struct api_request *req);
void events_trace(struct api_request *req);

void inspect_state(struct api_request *req);
void inspect_suspend(struct api_request *req);
void inspect_resume(struct api_request *req);
void inspect_trace(struct api_request *req);
void inspect_trace_stop(struct api_request *req);

void timers_list(struct api_request *req);
void timers_get(struct api_request *req);
void timers_set(struct api_request *req);
void timers_cancel(struct api_request *req);

#endif
