/* SPDX-License-Identifier: Apache-2.0 */
#include "src/problem.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/text.h"

#define APP_PREFIX "app." /* the codes that behaviors choose themselves */

static void set_from_table(troupe_client_problem *problem, const troupe_error_info *info)
{
    problem->error = info->error;
    problem->retry = info->retry;
    problem->outcome = info->outcome;
    problem->retry_after_ms = -1;
    troupe__text_copy(problem->code, sizeof problem->code, info->code);
    troupe__text_copy(problem->title, sizeof problem->title, info->text);
}

int troupe__problem_make(troupe_client_problem *problem, int error, const char *field, const char *format, ...)
{
    if (problem == NULL) {
        return error;
    }
    *problem = (troupe_client_problem){0};
    set_from_table(problem, troupe_error_lookup(error));
    problem->error = error;
    if (field != NULL) {
        troupe__text_copy(problem->field, sizeof problem->field, field);
    }
    char detail[2 * sizeof problem->detail];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    troupe__text_copy(problem->detail, sizeof problem->detail, detail);
    return error;
}

/* The length of the media type before its parameters and spaces. */
static size_t type_len(const char *content_type) { return strcspn(content_type, "; \t"); }

bool troupe__problem_is_json(const char *content_type)
{
    size_t len = type_len(content_type);
    return (len == 16 && strncasecmp(content_type, "application/json", len) == 0) ||
           (len == 9 && strncasecmp(content_type, "text/json", len) == 0) ||
           (len > 5 && strncasecmp(content_type + len - 5, "+json", 5) == 0);
}

static bool is_problem_json(const char *content_type)
{
    return type_len(content_type) == 24 && strncasecmp(content_type, "application/problem+json", 24) == 0;
}

/* The row for a code of the node; an unknown one of a newer node gives the first row with its status. */
static const troupe_error_info *row_for(const char *code, int http_status)
{
    if (strncmp(code, APP_PREFIX, strlen(APP_PREFIX)) == 0) {
        return troupe_error_lookup(TROUPE_E_APP);
    }
    const troupe_error_info *info = troupe_error_by_code(code);
    for (unsigned i = 0; info == NULL && troupe_error_at(i) != NULL; i++) {
        info = troupe_error_at(i)->http_status == http_status ? troupe_error_at(i) : NULL;
    }
    return info != NULL ? info : troupe_error_lookup(http_status < 500 ? TROUPE_E_INVALID : TROUPE_E_INTERNAL);
}

static void copy_member(const json_t *document, const char *key, char *dst, size_t cap)
{
    const char *value = json_string_value(json_object_get(document, key));
    if (value != NULL) {
        troupe__text_copy(dst, cap, value);
    }
}

static void read_words(const json_t *document, troupe_client_problem *problem)
{
    const char *retry = json_string_value(json_object_get(document, "retry"));
    for (int i = TROUPE_RETRY_NO; retry != NULL && i <= TROUPE_RETRY_YES; i++) {
        if (strcmp(retry, troupe_retry_word((enum troupe_retry)i)) == 0) {
            problem->retry = (enum troupe_retry)i;
        }
    }
    const char *outcome = json_string_value(json_object_get(document, "outcome"));
    for (int i = TROUPE_OUTCOME_NOT_DONE; outcome != NULL && i <= TROUPE_OUTCOME_UNKNOWN; i++) {
        if (strcmp(outcome, troupe_outcome_word((enum troupe_outcome)i)) == 0) {
            problem->outcome = (enum troupe_outcome)i;
        }
    }
    const json_t *after = json_object_get(document, "retry_after_ms");
    if (json_is_integer(after) && json_integer_value(after) >= 0) {
        problem->retry_after_ms = json_integer_value(after);
    }
}

/* Something answered, but not as a node does: a proxy, or another program. */
static int not_a_node(const troupe_client_reply *reply, troupe_client_problem *problem)
{
    int error = troupe__problem_make(problem, row_for("", reply->http_status)->error, NULL,
                                     "status %d with content type '%s' instead of a problem document",
                                     reply->http_status, reply->content_type);
    if (problem != NULL) {
        problem->http_status = reply->http_status;
        problem->code[0] = '\0';
    }
    return error;
}

int troupe__problem_read(const troupe_client_reply *reply, troupe_client_problem *problem)
{
    json_t *document = is_problem_json(reply->content_type) ? json_loadb(reply->body, reply->body_len, 0, NULL) : NULL;
    const char *code = json_string_value(json_object_get(document, "code"));
    if (code == NULL || reply->http_status < 400) {
        json_decref(document);
        return not_a_node(reply, problem);
    }
    const troupe_error_info *info = row_for(code, reply->http_status);
    if (problem != NULL) {
        *problem = (troupe_client_problem){0};
        set_from_table(problem, info);
        problem->http_status = reply->http_status;
        copy_member(document, "code", problem->code, sizeof problem->code);
        copy_member(document, "title", problem->title, sizeof problem->title);
        copy_member(document, "detail", problem->detail, sizeof problem->detail);
        copy_member(document, "field", problem->field, sizeof problem->field);
        read_words(document, problem);
    }
    json_decref(document);
    return info->error;
}
