/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/colour.h"
#include "cli/member.h"
#include "cli/yaml.h"

/* Write JSON with the fewest digits in which every real number reads back the same. */
static int write_json(const struct cli *cli, const json_t *document)
{
    size_t form = cli->is_round ? JSON_COMPACT : JSON_INDENT(2);
    char *text = NULL;
    for (size_t digits = 15; digits <= 17; digits++) {
        free(text);
        text = json_dumps(document, form | JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        json_t *again = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        bool is_same = again != NULL && json_equal(again, document);
        json_decref(again);
        if (is_same) {
            break;
        }
    }
    if (text == NULL) {
        return cli_no_memory();
    }
    fprintf(cli->out, "%s\n", text);
    free(text);
    return CLI_EXIT_DONE;
}

int cli_output_document(const struct cli *cli, const json_t *document)
{
    if (cli->format != CLI_FORMAT_YAML) {
        return write_json(cli, document);
    }
    if (cli->is_round) {
        fputs("---\n", cli->out);
    }
    yaml_write(document, cli->out);
    return CLI_EXIT_DONE;
}

int cli_output_made(const struct cli *cli, json_t *document)
{
    int code = document == NULL ? cli_no_memory() : cli_output_document(cli, document);
    json_decref(document);
    return code;
}

int cli_output_member(const struct cli *cli, const json_t *document, const char *member)
{
    char cell[CLI_CELL_BYTES];
    if (cli->format != CLI_FORMAT_TABLE) {
        return cli_output_document(cli, document);
    }
    member_text(document, member, cell);
    cli_output_line(cli, cell);
    return CLI_EXIT_DONE;
}

void cli_output_line(const struct cli *cli, const char *text)
{
    char clean[4096];
    cli_clean_copy(clean, sizeof clean, text);
    fprintf(cli->out, "%s\n", clean);
}

void cli_output_clean(const struct cli *cli, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        bool is_c1 =
            byte == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] >= 0x80 && (unsigned char)text[i + 1] < 0xa0;
        i += is_c1;
        if (byte < 0x20 || byte == 0x7f || is_c1) {
            fprintf(cli->out, "\\x%02x", (unsigned char)text[i]);
        } else {
            fputc(byte, cli->out);
        }
    }
}

/* ---- fields ---- */

#define FIELD_BYTES_MAX 128 /* of one key, and of "a.b.c" up to which members are taken apart */

/* An item of an array, such as an endpoint: its members as words, a=b. */
static void print_members(const struct cli *cli, const json_t *object)
{
    const char *key;
    json_t *value;
    const char *between = "";
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        char clean[FIELD_BYTES_MAX];
        char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        cli_clean_copy(clean, sizeof clean, key);
        fprintf(cli->out, "%s%s=", between, clean);
        const char *shown = json_is_string(value) ? json_string_value(value) : text != NULL ? text : "?";
        cli_clean_copy(clean, sizeof clean, shown);
        fputs(clean, cli->out);
        free(text);
        between = " ";
    }
    fputc('\n', cli->out);
}

static void print_field(const struct cli *cli, const char *path, const json_t *value)
{
    fprintf(cli->out, "%-22s  ", path);
    if (json_is_object(value)) {
        print_members(cli, value);
    } else if (json_is_string(value)) {
        char clean[4096];
        cli_clean_copy(clean, sizeof clean, json_string_value(value));
        const char *colour = cli->has_colour && strcmp(path, "state") == 0 ? colour_of(clean) : "";
        fprintf(cli->out, "%s%s%s\n", colour, clean, colour_end(colour));
    } else if (json_is_null(value)) {
        fputs("-\n", cli->out);
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
        fprintf(cli->out, "%s\n", text != NULL ? text : "?");
        free(text);
    }
}

/* Members in their order; arrays of strings one value a line, so that links and children can be read. */
static void print_fields(const struct cli *cli, const char *prefix, const json_t *document)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)document, key, value)
    {
        char path[2 * FIELD_BYTES_MAX + 2];
        char clean_key[FIELD_BYTES_MAX];
        cli_clean_copy(clean_key, sizeof clean_key, key);
        snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", clean_key);
        if (json_is_object(value) && strlen(path) < FIELD_BYTES_MAX) {
            print_fields(cli, path, value);
        } else if (json_array_size(value) > 0) {
            size_t i;
            json_t *item;
            json_array_foreach(value, i, item) { print_field(cli, path, item); }
        } else {
            print_field(cli, path, json_is_array(value) ? json_null() : value);
        }
    }
}

int cli_output_fields(const struct cli *cli, const json_t *document)
{
    if (cli->format != CLI_FORMAT_TABLE) {
        return cli_output_document(cli, document);
    }
    print_fields(cli, "", document);
    return CLI_EXIT_DONE;
}

/* ---- replies ---- */

/* RFC 4648 base64 with padding. Owns: the result is owned; NULL without memory. */
static char *encode_base64(const char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((len + 2) / 3 * 4 + 1);
    if (text == NULL) {
        return NULL;
    }
    char *out = text;
    for (size_t i = 0; i < len; i += 3, out += 4) {
        size_t left = len - i;
        unsigned long group = (unsigned long)(unsigned char)bytes[i] << 16;
        group |= left > 1 ? (unsigned long)(unsigned char)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? (unsigned long)(unsigned char)bytes[i + 2] : 0;
        memcpy(out, "====", 4);
        for (size_t digit = 0; digit < 4 && digit <= left; digit++) {
            out[digit] = digits[group >> (18 - 6 * digit) & 63];
        }
    }
    *out = '\0';
    return text;
}

/* A reply that is not JSON, as the document a WebSocket frame would carry. */
static json_t *wrap_bytes(const troupe_client_reply *reply)
{
    char *body = encode_base64(reply->body, reply->body_len);
    json_t *document =
        body == NULL ? NULL : json_pack("{s:s, s:s}", "content_type", reply->content_type, "body_b64", body);
    free(body);
    return document;
}

int cli_output_reply(const struct cli *cli, const troupe_client_reply *reply)
{
    bool is_json = strstr(reply->content_type, "json") != NULL;
    if (cli->format == CLI_FORMAT_TABLE) {
        fwrite(reply->body, 1, reply->body_len, cli->out);
        bool is_text = is_json || strncmp(reply->content_type, "text/", 5) == 0;
        if (is_text && reply->body_len > 0 && reply->body[reply->body_len - 1] != '\n') {
            fputc('\n', cli->out);
        }
        return CLI_EXIT_DONE;
    }
    size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *document = is_json ? json_loadb(reply->body, reply->body_len, flags, NULL) : NULL;
    return cli_output_made(cli, document != NULL ? document : wrap_bytes(reply));
}
