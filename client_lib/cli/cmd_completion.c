/* SPDX-License-Identifier: Apache-2.0
 *
 * Shell completion, written from the command table. A reference is completed by asking the node for its names; where no
 * node answers, nothing is offered. The texts of the table hold no quotes, so they can stand inside the shell's. */
#include <string.h>

#include "cli/commands.h"

/* Call fn for each option of a command, own ones first, then the common ones it does not have itself. */
static void each_option(const struct cli_command *command,
                        void (*fn)(const struct cli_command *command, const struct cli_option_use *use))
{
    bool is_seen[CLI_OPTIONS] = {false};
    for (const struct cli_option_use *use = command->options; use != NULL && use->text != NULL; use++) {
        is_seen[use->option] = true;
        fn(command, use);
    }
    for (const struct cli_option_use *use = cli_common_options; !command->is_local && use->text != NULL; use++) {
        if (!is_seen[use->option]) {
            fn(command, use);
        }
    }
}

/* Print "a|b|c" with another character between the words. */
static void print_choices(const char *choices, char between)
{
    for (; *choices != '\0'; choices++) {
        putchar(*choices == '|' ? between : *choices);
    }
}

static bool takes_next_word(const struct cli_option_use *use)
{
    return use->arg != NULL && !cli_option_is_optional(use);
}

static bool is_file(const struct cli_option_use *use)
{
    return use->option == CLI_FILE || use->option == CLI_TOKEN_FILE;
}

static bool has_choices(const struct cli_option_use *use) { return use->arg != NULL && strchr(use->arg, '|') != NULL; }

static void print_commands(void)
{
    for (const struct cli_command *const *at = cli_commands; *at != NULL; at++) {
        printf("%s%s", at == cli_commands ? "" : " ", (*at)->name);
    }
}

/* ---- bash ---- */

static void bash_word(const struct cli_command *command, const struct cli_option_use *use)
{
    (void)command;
    printf(" --%s", cli_option_name(use->option));
}

static void bash_values(const struct cli_command *command, const struct cli_option_use *use)
{
    char letter = cli_option_letter(use->option);
    if (!takes_next_word(use)) {
        return;
    }
    printf("        %s:--%s", command->name, cli_option_name(use->option));
    if (letter != 0) {
        printf(" | %s:-%c", command->name, letter);
    }
    fputs(") values='", stdout);
    if (has_choices(use)) {
        print_choices(use->arg, ' ');
    }
    printf("'; kind='%s' ;;\n", is_file(use) ? "file" : "words");
}

static const char *bash_kind(const struct cli_command *command)
{
    switch (command->first_arg) {
    case CLI_ARG_REF:
    case CLI_ARG_NAME:
        return "names";
    case CLI_ARG_COMMAND:
        return "commands";
    case CLI_ARG_WORD:
        return "words";
    default:
        return "none";
    }
}

/* The line is split at spaces anew, because bash itself also splits at = : and @. */
static const char bash_start[] =
    "# bash completion for troupe; load it with: source <(troupe completion bash)\n"
    "_troupe() {\n"
    "    local command='' options='' values='' kind='' first='' words='' skip='' cur prev word name count=0 i\n"
    "    local -a line\n"
    "    read -ra line <<< \"${COMP_LINE:0:COMP_POINT}\"\n"
    "    if [[ ${COMP_LINE:COMP_POINT-1:1} == ' ' ]]; then line+=(''); fi\n"
    "    cur=${line[-1]}\n"
    "    prev=${line[-2]}\n"
    "    for ((i = 1; i < ${#line[@]} - 1; i++)); do\n"
    "        word=${line[i]}\n"
    "        case $skip$word in\n"
    "        skip*) skip='' ;;\n"
    "        -q | -w* | -h | --quiet | --watch | --help | --ascii | --bodies | --dead | --*=*) ;;\n"
    "        -*) skip='skip' ;;\n"
    "        *) if [[ -n $command ]]; then count=$((count + 1)); else command=$word; fi ;;\n"
    "        esac\n"
    "    done\n"
    "    if [[ $cur == --*=* ]]; then\n"
    "        prev=${cur%%=*}\n"
    "        cur=${cur#*=}\n"
    "    fi\n"
    "    case $command in\n";

static const char bash_end[] =
    "    case $kind in\n"
    "    file) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"
    "    words) mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$cur\"); return ;;\n"
    "    esac\n"
    "    if [[ $cur == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$options --help\" -- \"$cur\")\n"
    "        return\n"
    "    fi\n"
    "    if [[ $count -eq 1 && $first == names ]]; then first='words'; count=0; fi\n"
    "    if [[ $count -gt 0 ]]; then return; fi\n"
    "    case $first in\n"
    "    names)\n"
    "        while IFS= read -r name; do\n"
    "            if [[ $name == \"$cur\"* ]]; then COMPREPLY+=(\"$(printf %q \"$name\")\"); fi\n"
    "        done < <(\"${line[0]}\" names --quiet --timeout 1s --limit 1000 2>/dev/null)\n"
    "        ;;\n"
    "    commands) mapfile -t COMPREPLY < <(compgen -W \"$commands\" -- \"$cur\") ;;\n"
    "    words) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _troupe troupe\n";

static void write_bash(void)
{
    fputs(bash_start, stdout);
    for (const struct cli_command *const *at = cli_commands; *at != NULL; at++) {
        printf("    %s) first='%s'; words='", (*at)->name, bash_kind(*at));
        print_choices((*at)->words != NULL ? (*at)->words : "", ' ');
        fputs("'; options='", stdout);
        each_option(*at, bash_word);
        fputs("' ;;\n", stdout);
    }
    fputs("    '') first='commands'; options='", stdout);
    for (const struct cli_option_use *use = cli_common_options; use->text != NULL; use++) {
        printf("--%s ", cli_option_name(use->option));
    }
    fputs("--version' ;;\n    esac\n    local commands='", stdout);
    print_commands();
    fputs("'\n    case $command:$prev in\n", stdout);
    for (const struct cli_command *const *at = cli_commands; *at != NULL; at++) {
        each_option(*at, bash_values);
    }
    fputs("    esac\n", stdout);
    fputs(bash_end, stdout);
}

/* ---- zsh ---- */

static void zsh_option(const struct cli_command *command, const struct cli_option_use *use)
{
    (void)command;
    char letter = cli_option_letter(use->option);
    const char *name = cli_option_name(use->option);
    bool is_optional = cli_option_is_optional(use);
    const char *equals = is_optional ? "=-" : use->arg != NULL ? "=" : "";
    if (letter != 0) {
        const char *plus = is_optional ? "-" : use->arg != NULL ? "+" : "";
        printf(" \\\n            '(-%c --%s)'{-%c%s,--%s%s}", letter, name, letter, plus, name, equals);
    } else {
        printf(" \\\n            '--%s%s'", name, equals);
    }
    printf("'[%s]", use->text);
    if (has_choices(use)) {
        printf(":%s:(", name);
        print_choices(use->arg, ' ');
        putchar(')');
    } else if (use->arg != NULL) {
        printf("%s:%s:%s", is_optional ? ":" : "", name, is_file(use) ? "_files" : "");
    }
    putchar('\'');
}

static void zsh_words(int arg, const char *words)
{
    printf(" \\\n            '%d:word:(", arg);
    print_choices(words, ' ');
    fputs(")'", stdout);
}

/* A command that begins with a reference may take words behind it. */
static void zsh_args(const struct cli_command *command)
{
    switch (command->first_arg) {
    case CLI_ARG_REF:
    case CLI_ARG_NAME:
        fputs(" \\\n            '1:actor:_troupe_names'", stdout);
        if (command->words != NULL) {
            zsh_words(2, command->words);
        }
        break;
    case CLI_ARG_COMMAND:
        fputs(" \\\n            '1:command:(", stdout);
        print_commands();
        fputs(")'", stdout);
        break;
    case CLI_ARG_WORD:
        zsh_words(1, command->words);
        break;
    default:
        break;
    }
}

static void write_zsh(void)
{
    fputs("#compdef troupe\n"
          "# zsh completion for troupe; load it with: source <(troupe completion zsh)\n"
          "_troupe_names() {\n"
          "    local -a names\n"
          "    names=(${(f)\"$(troupe names --quiet --timeout 1s --limit 1000 2>/dev/null)\"})\n"
          "    compadd -a names\n"
          "}\n"
          "_troupe() {\n"
          "    local -a commands=(\n",
          stdout);
    for (const struct cli_command *const *at = cli_commands; *at != NULL; at++) {
        printf("        '%s:%s'\n", (*at)->name, (*at)->summary);
    }
    fputs("    )\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    shift words\n"
          "    (( CURRENT-- ))\n"
          "    case $words[1] in\n",
          stdout);
    for (const struct cli_command *const *at = cli_commands; *at != NULL; at++) {
        printf("    %s)\n        _arguments", (*at)->name);
        each_option(*at, zsh_option);
        fputs(" \\\n            '--help[Show this help]'", stdout);
        zsh_args(*at);
        fputs("\n        ;;\n", stdout);
    }
    fputs("    esac\n"
          "}\n"
          "compdef _troupe troupe\n",
          stdout);
}

/* ---- fish ---- */

static void fish_option(const struct cli_command *command, const struct cli_option_use *use)
{
    char letter = cli_option_letter(use->option);
    printf("complete -c troupe -n '__fish_seen_subcommand_from %s' -l %s", command->name, cli_option_name(use->option));
    if (letter != 0) {
        printf(" -s %c", letter);
    }
    if (has_choices(use)) {
        fputs(" -x -a '", stdout);
        print_choices(use->arg, ' ');
        putchar('\'');
    } else if (takes_next_word(use)) {
        fputs(is_file(use) ? " -r -F" : " -x", stdout);
    }
    printf(" -d '%s'\n", use->text);
}

static void write_fish(void)
{
    fputs("# fish completion for troupe; load it with: troupe completion fish | source\n"
          "complete -c troupe -f\n",
          stdout);
    for (const struct cli_command *const *at = cli_commands; *at != NULL; at++) {
        const char *name = (*at)->name;
        printf("complete -c troupe -n __fish_use_subcommand -a %s -d '%s'\n", name, (*at)->summary);
        each_option(*at, fish_option);
        if ((*at)->first_arg == CLI_ARG_REF || (*at)->first_arg == CLI_ARG_NAME) {
            printf("complete -c troupe -n '__fish_seen_subcommand_from %s' "
                   "-a '(troupe names --quiet --timeout 1s --limit 1000 2>/dev/null)'\n",
                   name);
        }
        if ((*at)->words != NULL) {
            printf("complete -c troupe -n '__fish_seen_subcommand_from %s' -a '", name);
            print_choices((*at)->words, ' ');
            fputs("'\n", stdout);
        }
        if ((*at)->first_arg == CLI_ARG_COMMAND) {
            printf("complete -c troupe -n '__fish_seen_subcommand_from %s' -a '", name);
            print_commands();
            fputs("'\n", stdout);
        }
    }
}

static int run(struct cli *cli)
{
    static const struct {
        const char *shell;
        void (*write)(void);
    } shells[] = {{"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        if (strcmp(cli->arg[0], shells[i].shell) == 0) {
            shells[i].write();
            return CLI_EXIT_DONE;
        }
    }
    cli_complain("there is no completion for '%s'; choose bash, zsh or fish", cli->arg[0]);
    return CLI_EXIT_USAGE;
}

const struct cli_command cmd_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .summary = "Write a completion script for a shell",
    .text = "For bash: source <(troupe completion bash). For zsh: source <(troupe completion zsh). "
            "For fish: troupe completion fish | source.",
    .args_min = 1,
    .args_max = 1,
    .first_arg = CLI_ARG_WORD,
    .words = "bash|zsh|fish",
    .is_local = true,
    .run = run,
};
