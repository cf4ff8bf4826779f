/* SPDX-License-Identifier: Apache-2.0
 *
 * The schemas of the documents that the API reads and writes; the rows of the route table name them. */
#include "api/openapi.h"

#define UINT "{\"type\":\"integer\",\"minimum\":0}"
#define TEXT "{\"type\":\"string\"}"
#define TEXT_OR_NULL "{\"type\":[\"string\",\"null\"]}"
#define BOOLEAN "{\"type\":\"boolean\"}"
#define TIME "{\"type\":\"string\",\"format\":\"date-time\"}"
#define REF "{\"$ref\":\"#/components/schemas/Ref\"}"
#define LABELS "{\"type\":\"object\",\"additionalProperties\":" TEXT "}"
#define REFS "{\"type\":\"array\",\"items\":" REF "}"
#define ITEMS(name) "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/" name "\"}}"

#define PAGE(name) \
    "{\"type\":\"object\",\"required\":[\"items\",\"next\"],\"properties\":{" \
    "\"items\":" ITEMS(name) ",\"next\":" TEXT_OR_NULL "}}"

#define MEMBER_STATE "{\"type\":\"string\",\"enum\":[\"joining\",\"up\",\"draining\",\"down\"]}"

const char openapi_schemas[] =
    "{"
    "\"Ref\":{\"type\":\"string\",\"description\":\"The id of an actor.\",\"examples\":[\"n.4tq8v1m02x7kc.3f.1\"]},"

    "\"Spawn\":{\"type\":\"object\",\"required\":[\"behavior\"],\"additionalProperties\":false,\"properties\":{"
    "\"behavior\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64},"
    "\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255},"
    "\"if_exists\":{\"type\":\"string\",\"enum\":[\"error\",\"return\"],\"default\":\"error\"},"
    "\"args\":{\"description\":\"Any JSON, for the behavior.\"},"
    "\"mailbox\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"messages\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":250000},"
    "\"bytes\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":4294967295},"
    "\"policy\":{\"type\":\"string\",\"enum\":[\"refuse\",\"drop_oldest\",\"drop_newest\"]}}},"
    "\"restart\":{\"type\":\"string\",\"enum\":[\"temporary\",\"transient\",\"permanent\"],\"default\":\"temporary\"},"
    "\"start_timeout_ms\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":600000}},"
    "\"examples\":[{\"behavior\":\"counter\",\"name\":\"hits\"}]},"

    "\"Mailbox\":{\"type\":\"object\",\"properties\":{\"depth\":" UINT ",\"bytes\":" UINT ",\"messages_max\":" UINT
    ",\"bytes_max\":" UINT ",\"policy\":{\"type\":\"string\",\"enum\":[\"refuse\",\"drop_oldest\",\"drop_newest\"]}}},"

    "\"Actor\":{\"type\":\"object\",\"required\":[\"ref\",\"state\"],\"properties\":{"
    "\"ref\":" REF ",\"name\":" TEXT_OR_NULL ",\"behavior\":" TEXT ",\"version\":" TEXT ",\"host\":" TEXT
    ",\"node\":" TEXT ",\"state\":{\"type\":\"string\",\"enum\":[\"starting\",\"running\",\"draining\",\"stopping\","
    "\"stopped\"]},\"mailbox\":{\"$ref\":\"#/components/schemas/Mailbox\"},\"processed\":" UINT ",\"uptime_ms\":" UINT
    ",\"started_at\":" TIME ",\"parent\":{\"type\":[\"string\",\"null\"]},\"suspended\":" BOOLEAN ",\"traced\":" BOOLEAN
    ",\"last_error\":{\"type\":[\"object\",\"null\"],\"properties\":{\"code\":" TEXT ",\"detail\":" TEXT ",\"at\":" TIME
    "}},\"mailbox_bytes\":" UINT ",\"links\":" REFS ",\"links_count\":" UINT
    ",\"children\":" REFS ",\"children_count\":" UINT ",\"monitors\":" UINT ",\"monitored_by\":" UINT ",\"timers\":"
    UINT ",\"open_calls\":" UINT ",\"kept_calls\":" UINT ",\"restarts\":" UINT ",\"memory_bytes\":" UINT "},"
    "\"description\":\"Items of lists, and actors in a long turn, have the members up to traced only.\"},"
    "\"ActorPage\":" PAGE("Actor") ","

    "\"TraceRequest\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"messages\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100000,\"default\":100},"
    "\"bodies\":{\"type\":\"boolean\",\"default\":false}},\"examples\":[{\"messages\":20,\"bodies\":true}]},"
    "\"Trace\":{\"type\":\"object\",\"required\":[\"ref\",\"messages\",\"bodies\"],\"properties\":{\"ref\":" REF
    ",\"messages\":" UINT ",\"bodies\":" BOOLEAN "}},"

    "\"TimerRequest\":{\"type\":\"object\",\"required\":[\"type\"],\"additionalProperties\":false,\"properties\":{"
    "\"type\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64},\"body\":{\"description\":\"Any JSON.\"},"
    "\"after_ms\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295},\"at\":" TIME
    ",\"every_ms\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":4294967295},"
    "\"missed\":{\"type\":\"string\",\"enum\":[\"skip\",\"burst\"],\"default\":\"skip\"}},"
    "\"description\":\"When: after_ms or at, every_ms, or both. every_ms alone: first after one period.\","
    "\"examples\":[{\"type\":\"add\",\"body\":{\"by\":1},\"every_ms\":1000}]},"
    "\"Timer\":{\"type\":\"object\",\"required\":[\"id\",\"type\",\"due_at\"],\"properties\":{\"id\":" TEXT_OR_NULL
    ",\"action\":{\"type\":\"string\",\"enum\":[\"message\",\"stop\",\"kill\"]},\"target\":" REF ",\"type\":"
    TEXT_OR_NULL ",\"due_at\":" TIME ",\"due_in_ms\":" UINT ",\"every_ms\":{\"type\":[\"integer\",\"null\"]},"
    "\"missed\":{\"type\":\"string\",\"enum\":[\"skip\",\"burst\"]},"
    "\"set_by\":{\"type\":\"string\",\"enum\":[\"client\",\"actor\"]}}},"
    "\"TimerPage\":{\"type\":\"object\",\"required\":[\"items\",\"next\",\"total\"],\"properties\":{\"items\":"
    ITEMS("Timer")
    ",\"next\":{\"type\":\"null\"},\"total\":" UINT "}},"

    "\"Alarm\":{\"type\":\"object\",\"required\":[\"kind\",\"actor\"],\"properties\":{"
    "\"kind\":{\"type\":\"string\",\"enum\":[\"long_mailbox\",\"long_turn\"]},\"actor\":" REF ",\"behavior\":" TEXT
    ",\"value\":" UINT ",\"threshold\":" UINT ",\"since\":" TIME "}},"

    "\"Accepted\":{\"type\":\"object\",\"required\":[\"accepted\"],\"properties\":{\"accepted\":" UINT "}},"

    "\"Name\":{\"type\":\"object\",\"required\":[\"name\",\"ref\"],\"properties\":{\"name\":" TEXT ",\"ref\":" REF "}},"
    "\"NamePage\":" PAGE("Name") ","

    "\"Group\":{\"type\":\"object\",\"required\":[\"scope\",\"group\",\"members\"],\"properties\":{\"scope\":" TEXT
    ",\"group\":" TEXT ",\"members\":" UINT "}},"
    "\"GroupPage\":" PAGE("Group") ","
    "\"GroupScope\":{\"type\":\"object\",\"required\":[\"scope\",\"groups\"],\"properties\":{\"scope\":" TEXT
    ",\"groups\":" UINT "}},"
    "\"GroupScopePage\":" PAGE("GroupScope") ","
    "\"GroupMember\":{\"type\":\"object\",\"required\":[\"ref\",\"behavior\",\"name\"],\"properties\":{\"ref\":" REF
    ",\"behavior\":" TEXT ",\"name\":" TEXT_OR_NULL "}},"
    "\"GroupMemberPage\":" PAGE("GroupMember") ","
    "\"GroupAccepted\":{\"type\":\"object\",\"required\":[\"members\",\"accepted\",\"refused\"],\"properties\":{"
    "\"members\":" UINT ",\"accepted\":" UINT ",\"refused\":" UINT "}},"
    "\"GroupResult\":{\"type\":\"object\",\"required\":[\"ref\",\"status\"],\"properties\":{\"ref\":" REF
    ",\"status\":" UINT ",\"body\":{\"description\":\"The reply, when it is JSON; absent when it has no bytes.\"},"
    "\"content_type\":" TEXT ",\"body_b64\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},\"code\":" TEXT
    ",\"title\":" TEXT ",\"detail\":" TEXT ",\"retry\":" TEXT ",\"outcome\":" TEXT "}},"
    "\"GroupResults\":{\"type\":\"object\",\"required\":[\"members\",\"replied\",\"refused\",\"results\"],"
    "\"properties\":{"
    "\"members\":" UINT ",\"replied\":" UINT ",\"refused\":" UINT ",\"results\":" ITEMS("GroupResult") "}},"


    "\"MessageType\":{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":" TEXT ",\"summary\":"
    TEXT_OR_NULL ",\"read_only\":" BOOLEAN ",\"idempotent\":" BOOLEAN ",\"cast\":" BOOLEAN
    ",\"body_schema\":{\"type\":[\"object\",\"boolean\",\"null\"]},"
    "\"reply_schema\":{\"type\":[\"object\",\"boolean\",\"null\"]}}},"
    "\"Behavior\":{\"type\":\"object\",\"required\":[\"name\",\"version\",\"types\"],\"properties\":{\"name\":" TEXT
    ",\"version\":" TEXT ",\"summary\":" TEXT_OR_NULL ",\"any_type\":" BOOLEAN
    ",\"args_schema\":{\"type\":[\"object\",\"boolean\",\"null\"]},\"types\":" ITEMS("MessageType")
    ",\"file\":" TEXT_OR_NULL ",\"loaded_at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
    ",\"stats\":{\"type\":\"object\",\"additionalProperties\":" UINT "},\"has_view\":" BOOLEAN
    ",\"actors\":" UINT ",\"older\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
    "\"version\":" TEXT ",\"loaded_at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
    ",\"actors\":" UINT "}}}}},"
    "\"BehaviorPage\":" PAGE("Behavior") ","

    "\"Endpoint\":{\"type\":\"object\",\"properties\":{\"purpose\":" TEXT ",\"scheme\":" TEXT ",\"host\":" TEXT
    ",\"port\":" UINT ",\"bound_port\":" UINT "}},"
    "\"Node\":{\"type\":\"object\",\"required\":[\"node\",\"cluster\",\"version\",\"api\"],\"properties\":{\"node\":"
    TEXT ",\"cluster\":" TEXT ",\"version\":" TEXT ",\"api\":" TEXT ",\"peer\":" TEXT ",\"pid\":" UINT ",\"trouble\":"
    TEXT_OR_NULL ",\"labels\":" LABELS
    ",\"state\":{\"type\":\"string\",\"enum\":[\"starting\",\"up\",\"draining\",\"stopping\"]},\"workers\":" UINT
    ",\"started_at\":" TIME ",\"uptime_ms\":" UINT ",\"endpoints\":" ITEMS("Endpoint")
    ",\"behaviors\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\",\"properties\":{\"name\":" TEXT ",\"version\":" TEXT "}}},"
    "\"limits\":{\"type\":\"object\",\"additionalProperties\":" UINT "},"
    "\"alarms\":" ITEMS("Alarm") ",\"stats\":{\"type\":\"object\",\"additionalProperties\":" UINT "}}},"

    "\"TicketRequest\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"grants\":{\"type\":\"array\",\"maxItems\":64,\"items\":{\"type\":\"string\",\"maxLength\":1024},"
    "\"description\":\"What the ticket may do at most, if the token may. All that the token may when left out.\"}},"
    "\"examples\":[{\"grants\":[\"read:counter/*\"]}]},"
    "\"Ticket\":{\"type\":\"object\",\"required\":[\"ticket\",\"expires_at\",\"ttl_ms\"],\"properties\":{"
    "\"ticket\":" TEXT ",\"expires_at\":" TIME ",\"ttl_ms\":" UINT "}},"

    "\"ClusterNode\":{\"type\":\"object\",\"required\":[\"node\",\"state\",\"api\",\"peer\"],\"properties\":{\"node\":"
    TEXT
    ",\"state\":{\"type\":\"string\",\"enum\":[\"joining\",\"up\",\"draining\",\"down\"]},\"api\":" TEXT ",\"peer\":"
    TEXT ",\"version\":" TEXT ",\"started_at\":" TIME ",\"revision\":" UINT ",\"endpoints\":" ITEMS("Endpoint")
    ",\"behaviors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"name\":" TEXT ",\"version\":"
    TEXT "}}},\"labels\":" LABELS "}},"
    "\"NodePage\":" PAGE("ClusterNode") ","
    "\"Draining\":{\"type\":\"object\",\"required\":[\"node\",\"state\"],\"properties\":{\"node\":" TEXT ",\"state\":"
    TEXT "}},"
    "\"Relisten\":{\"type\":\"object\",\"required\":[\"purpose\"],\"additionalProperties\":false,\"properties\":{"
    "\"purpose\":{\"type\":\"string\",\"enum\":[\"api\",\"peer\"]},"
    "\"port\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":65535,\"default\":0}}},"
    "\"Relistened\":{\"type\":\"object\",\"required\":[\"purpose\",\"host\",\"port\"],\"properties\":{\"purpose\":" TEXT
    ",\"host\":" TEXT ",\"port\":" UINT "}},"

    "\"Version\":{\"type\":\"object\",\"required\":[\"name\",\"version\",\"api\"],\"properties\":{\"name\":" TEXT
    ",\"version\":" TEXT ",\"api\":" TEXT "}},"
    "\"Status\":{\"type\":\"object\",\"required\":[\"status\"],\"properties\":{\"status\":" TEXT "}},"
    "\"Health\":{\"type\":\"object\",\"required\":[\"status\",\"phase\"],\"properties\":{\"status\":" TEXT ",\"phase\":"
    TEXT ",\"trouble\":" TEXT_OR_NULL ",\"stuck_workers\":" UINT ",\"blocking\":{\"type\":\"array\",\"items\":"
    "{\"type\":\"object\",\"required\":[\"actor\",\"behavior\",\"turn_ms\"],\"properties\":{\"actor\":" REF
    ",\"behavior\":" TEXT ",\"turn_ms\":" UINT "}}},\"overloaded\":" BOOLEAN ",\"memory_bytes\":" UINT
    ",\"memory_max_bytes\":" UINT
    ",\"actors\":" UINT ",\"uptime_ms\":" UINT "}},"

    "\"Registry\":{\"type\":\"object\",\"required\":[\"cluster\",\"node\",\"epoch\",\"time_ms\",\"lease_ms\","
    "\"renew_ms\",\"protocol_min\",\"protocol_max\"],\"properties\":{\"cluster\":" TEXT ",\"node\":" TEXT ",\"epoch\":"
    TEXT
    ",\"time_ms\":" UINT ",\"lease_ms\":" UINT ",\"renew_ms\":" UINT ",\"protocol_min\":" UINT ",\"protocol_max\":" UINT
    "}},"
    "\"Identity\":{\"type\":\"object\",\"required\":[\"cluster\",\"node\"],\"properties\":{\"cluster\":" TEXT
    ",\"node\":" TEXT
    "}},"
    "\"Member\":{\"type\":\"object\",\"required\":[\"node\",\"revision\",\"state\",\"protocol\",\"version\","
    "\"started_at_ms\",\"endpoints\"],\"properties\":{\"node\":" TEXT ",\"revision\":{\"type\":\"integer\","
    "\"minimum\":1}"
    ",\"state\":" MEMBER_STATE ",\"protocol\":{\"type\":\"object\",\"required\":[\"min\",\"max\"],\"properties\":{"
    "\"min\":" UINT ",\"max\":" UINT "}},\"version\":" TEXT ",\"started_at_ms\":" UINT
    ",\"endpoints\":{\"type\":\"array\","
    "\"maxItems\":4,\"items\":{\"type\":\"object\",\"required\":[\"purpose\",\"scheme\",\"host\",\"port\","
    "\"bound_port\"],"
    "\"properties\":{\"purpose\":" TEXT ",\"scheme\":" TEXT ",\"host\":" TEXT ",\"port\":" UINT ",\"bound_port\":" UINT
    "}}},\"behaviors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"name\":" TEXT
    ",\"version\":" TEXT "}}},\"labels\":{\"type\":\"object\",\"additionalProperties\":" TEXT "}}},"
    "\"MemberList\":{\"type\":\"object\",\"required\":[\"epoch\",\"revision\",\"nodes\"],\"properties\":{\"epoch\":"
    TEXT ",\"revision\":" UINT ",\"nodes\":" ITEMS("Member") "}},"
    "\"MemberEvent\":{\"type\":\"object\",\"required\":[\"revision\",\"event\",\"node\"],\"properties\":{\"revision\":"
    UINT ",\"event\":{\"type\":\"string\",\"enum\":[\"node.joining\",\"node.up\",\"node.changed\",\"node.draining\","
    "\"node.left\",\"node.down\"]},\"node\":{\"$ref\":\"#/components/schemas/Member\"}}},"
    "\"MemberEvents\":{\"type\":\"object\",\"required\":[\"epoch\",\"revision\",\"events\"],\"properties\":{\"epoch\":"
    TEXT ",\"revision\":" UINT ",\"events\":" ITEMS("MemberEvent") "}},"
    "\"RenewRequest\":{\"type\":\"object\",\"required\":[\"state\"],\"properties\":{\"state\":{\"type\":\"string\","
    "\"enum\":[\"up\",\"draining\"]}}},"
    "\"Renewal\":{\"type\":\"object\",\"required\":[\"epoch\",\"lease_ms\",\"renew_ms\",\"revision\",\"state\","
    "\"drain\","
    "\"words\"],\"properties\":{\"epoch\":" TEXT ",\"lease_ms\":" UINT ",\"renew_ms\":" UINT ",\"revision\":" UINT
    ",\"state\":" MEMBER_STATE ",\"drain\":{\"type\":\"boolean\","
    "\"description\":\"Somebody asked that the node drains.\"},"
    "\"words\":{\"type\":\"string\",\"description\":\"Why the newest record is not verified, or nothing.\"}}},"
    "\"ClaimRequest\":{\"type\":\"object\",\"required\":[\"node\"],\"properties\":{\"node\":" TEXT ",\"ref\":" REF
    ",\"held\":" BOOLEAN ",\"seq\":" UINT ",\"floor\":" UINT "}},"
    "\"NamesRequest\":{\"type\":\"object\",\"properties\":{\"seq\":" UINT ",\"floor\":" UINT
    ",\"claim\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"name\",\"ref\"],\"properties\":{"
    "\"name\":" TEXT ",\"ref\":" REF ",\"held\":" BOOLEAN "}}},"
    "\"release\":{\"type\":\"array\",\"description\":\"With claim, 1024 names at most.\","
    "\"items\":{\"type\":\"object\","
    "\"required\":[\"name\",\"ref\"],\"properties\":{\"name\":" TEXT ",\"ref\":" REF "}}}}},"
    "\"NamesResult\":{\"type\":\"object\",\"required\":[\"refused\"],\"properties\":{\"refused\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\",\"required\":[\"name\",\"code\"],\"properties\":{\"name\":" TEXT ",\"code\":" TEXT
    ",\"actor\":" REF "}}}}},"
    "\"ClusterName\":{\"type\":\"object\",\"required\":[\"name\",\"ref\"],\"properties\":{\"name\":" TEXT
    ",\"ref\":" TEXT_OR_NULL "}},"

    "\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\",\"code\",\"retry\","
    "\"outcome\"],\"properties\":{"
    "\"type\":{\"type\":\"string\",\"format\":\"uri\",\"examples\":[\"urn:troupe:error:not_found\"]},"
    "\"title\":" TEXT ",\"status\":{\"type\":\"integer\",\"minimum\":400,\"maximum\":599},\"detail\":" TEXT
    ",\"code\":{\"type\":\"string\",\"description\":\"What programs compare. Codes of applications begin with app.\"},"
    "\"retry\":{\"type\":\"string\",\"enum\":[\"no\",\"if_idempotent\",\"yes\"]},"
    "\"outcome\":{\"type\":\"string\",\"enum\":[\"not_done\",\"unknown\"],"
    "\"description\":\"not_done: nothing happened. unknown: it may have happened.\"},"
    "\"retry_after_ms\":" UINT ",\"field\":{\"type\":\"string\",\"description\":\"The field or parameter at "
    "fault; where a behavior has a schema, a JSON Pointer into what was sent.\"},"
    "\"actor\":" REF ",\"accepted\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"Of a batch: how many were "
    "taken before this.\"}}}"
    "}";
