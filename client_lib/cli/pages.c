/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists: follows the cursors of a list up to --limit and prints the items. A table and --quiet are written page by
 * page, so a million actors need no memory here; JSON and YAML are one document, written after the last page. */
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"

struct walk {
    struct cli *cli;
    const struct cli_list *list;
    struct table table;
    json_t *items;  /* owned; JSON and YAML: what came so far */
    json_t *next;   /* owned; the cursor of the next page; NULL: there is none */
    uint64_t limit; /* 0: all */
    uint64_t count; /* items so far */
    bool is_quiet;
    bool is_cut; /* the last page had more than the limit: not every list takes one */
};

/* Take one item; it is borrowed. Fails: TROUPE_E_NO_MEMORY */
static int take_item(struct walk *walk, json_t *item)
{
    const struct cli_list *list = walk->list;
    char cells[TABLE_COLUMNS_MAX][CLI_CELL_BYTES] = {{0}};
    const char *row[TABLE_COLUMNS_MAX];
    if (walk->is_quiet) {
        list->quiet(item, cells[0]);
        cli_output_line(walk->cli, cells[0]);
        return 0;
    }
    if (walk->cli->format != CLI_FORMAT_TABLE) {
        return json_array_append(walk->items, item) == 0 ? 0 : TROUPE_E_NO_MEMORY;
    }
    list->fill(item, cells);
    for (size_t i = 0; i < list->column_count; i++) {
        row[i] = cells[i];
    }
    return table_add(&walk->table, row);
}

/* Take a page and move the cursor; the page is released. Returns a cli_exit. */
static int take_page(struct walk *walk, json_t *page)
{
    size_t i;
    json_t *item;
    int rc = 0;
    json_array_foreach(json_object_get(page, "items"), i, item)
    {
        walk->is_cut = walk->limit != 0 && walk->count == walk->limit;
        if (rc != 0 || walk->is_cut) {
            break;
        }
        rc = take_item(walk, item);
        walk->count++;
    }
    json_t *next = json_object_get(page, "next");
    next = json_is_string(next) ? json_incref(next) : NULL;
    bool is_stuck = next != NULL && walk->next != NULL && json_equal(next, walk->next);
    json_decref(walk->next);
    walk->next = next;
    json_decref(page);
    if (rc != 0) {
        return cli_no_memory();
    }
    if (is_stuck) {
        cli_complain("cannot %s: the node gave the same cursor twice; see 'troupe doctor'", walk->list->what);
        return CLI_EXIT_UNREACHABLE;
    }
    if (!walk->is_quiet && walk->cli->format == CLI_FORMAT_TABLE) {
        table_write(&walk->table, walk->cli->out);
    }
    return CLI_EXIT_DONE;
}

static int walk_pages(struct walk *walk, troupe_client_filter filter)
{
    do {
        troupe_client_problem problem;
        json_t *page = NULL;
        uint64_t left = walk->limit == 0 ? CLI_LIST_PAGE_MAX : walk->limit - walk->count;
        filter.limit = (uint32_t)(left < CLI_LIST_PAGE_MAX ? left : CLI_LIST_PAGE_MAX);
        filter.cursor = json_string_value(walk->next);
        if (walk->list->get_page(walk->cli->client, &filter, &page, &problem) != 0) {
            return cli_complain_problem(walk->cli, &problem, "%s", walk->list->what);
        }
        int code = take_page(walk, page);
        if (code != CLI_EXIT_DONE) {
            return code;
        }
    } while (walk->next != NULL && (walk->limit == 0 || walk->count < walk->limit));
    return CLI_EXIT_DONE;
}

static int finish(struct walk *walk)
{
    if (walk->cli->format != CLI_FORMAT_TABLE && !walk->is_quiet) {
        return cli_output_made(walk->cli, json_pack("{s:O, s:O?}", "items", walk->items, "next", walk->next));
    }
    if ((walk->next != NULL || walk->is_cut) && !walk->cli->is_round) {
        fflush(walk->cli->out);
        cli_complain("%llu shown, there are more; --limit 0 shows all", (unsigned long long)walk->count);
    }
    return CLI_EXIT_DONE;
}

int cli_pages_print(struct cli *cli, const struct cli_list *list, troupe_client_filter filter)
{
    struct walk walk = {.cli = cli, .list = list, .limit = CLI_LIST_LIMIT, .is_quiet = cli->value[CLI_QUIET] != NULL};
    int code = cli_count_option(cli, CLI_LIMIT, UINT32_MAX, &walk.limit);
    if (code == CLI_EXIT_DONE) {
        code = cli_connect(cli);
    }
    if (code != CLI_EXIT_DONE) {
        return code;
    }
    walk.items = json_array();
    if (walk.items == NULL) {
        return cli_no_memory();
    }
    table_init(&walk.table, list->columns, list->column_count);
    walk.table.has_colour = cli->has_colour;
    code = walk_pages(&walk, filter);
    if (code == CLI_EXIT_DONE) {
        code = finish(&walk);
    }
    table_fini(&walk.table);
    json_decref(walk.items);
    json_decref(walk.next);
    return code;
}

int cli_pages_each(struct cli *cli, cli_page_fn get_page, bool (*on_item)(void *user, json_t *item), void *user,
                   troupe_client_problem *problem)
{
    troupe_client_filter filter = {.limit = CLI_LIST_PAGE_MAX};
    json_t *page = NULL;
    bool wants_more = true;
    int rc = 0;
    do {
        size_t i;
        json_t *item;
        json_t *last = page; /* the cursor is in it */
        page = NULL;
        rc = get_page(cli->client, &filter, &page, problem);
        const char *next = json_string_value(json_object_get(page, "next"));
        if (rc == 0 && next != NULL && filter.cursor != NULL && strcmp(next, filter.cursor) == 0) {
            *problem = (troupe_client_problem){
                .error = TROUPE_E_MALFORMED, .http_status = 200, .detail = "the node gave the same cursor twice"};
            rc = problem->error;
        }
        json_decref(last);
        json_array_foreach(json_object_get(page, "items"), i, item)
        {
            wants_more = rc == 0 && wants_more && on_item(user, item);
        }
        filter.cursor = next;
    } while (rc == 0 && wants_more && filter.cursor != NULL);
    json_decref(page);
    return rc;
}
