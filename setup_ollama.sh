#!/bin/sh
# Finds or installs Ollama, pulls the models of a hardware profile, checks one answer of each, and says what to run next.
# macOS and Linux. Safe to run again: what is there already is kept.
#
# Use: ./setup_ollama.sh [--yes] [PROFILE]
#   PROFILE  m1-8gb, rtx3060-6gb, cpu; left out: the one that suits this machine
#   --yes    install Ollama without asking
#
# Models whose licence restricts their use are pulled only when it is accepted: SHOPFLOOR_ACCEPTED_LICENCES=gemma,stability
set -eu

OLDEST="0.12.11" # older ones cut long prompts without a word
WAIT_S="${SETUP_OLLAMA_WAIT_S:-30}"

say() { printf '%s\n' "$*"; }

fail() {
    printf 'setup_ollama: %s\n' "$*" >&2
    exit 1
}

usage() {
    printf 'setup_ollama: %s\nuse: ./setup_ollama.sh [--yes] [m1-8gb|rtx3060-6gb|cpu]\n' "$*" >&2
    exit 2
}

accepted() {
    case ",$(printf '%s' "${SHOPFLOOR_ACCEPTED_LICENCES:-}" | tr -d ' ')," in
    *",$1,"*) return 0 ;;
    *) return 1 ;;
    esac
}

# One tag a line, recommendation first; the same as shopfloor/local_models/profiles.py, which a test compares.
tags() {
    case "$1" in
    cpu) say "smollm2:135m" ;;
    m1-8gb)
        say "tinyllama"
        if accepted stability; then say "stablelm2:1.6b"; else say "qwen3:1.7b"; fi
        ;;
    rtx3060-6gb)
        if accepted gemma; then say "gemma:2b"; else say "smollm2:1.7b"; fi
        say "phi3:mini"
        ;;
    *) usage "there is no profile $1" ;;
    esac
}

suitable_profile() {
    if [ "$(uname -s)" = Darwin ] && [ "$(uname -m)" = arm64 ]; then
        say "m1-8gb"
    elif command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1; then
        say "rtx3060-6gb"
    else
        say "cpu"
    fi
}

install_ollama() {
    if [ "$(uname -s)" = Darwin ]; then
        command -v brew >/dev/null 2>&1 ||
            fail "Ollama is missing: get it from https://ollama.com/download, then run this again"
        set -- brew install ollama
    else
        command -v curl >/dev/null 2>&1 || fail "curl is missing: install it (apt install curl), then run this again"
        set -- sh -c 'curl -fsSL https://ollama.com/install.sh | sh'
    fi
    if [ "$yes" != 1 ]; then
        [ -t 0 ] || fail "Ollama is missing: run this again with --yes to install it by: $*"
        printf 'Ollama is missing. Install it by: %s ? [y/N] ' "$*"
        read -r answer
        case "$answer" in [yY]*) ;; *) fail "Ollama is needed: install it from https://ollama.com/download" ;; esac
    fi
    "$@" || fail "Ollama could not be installed: get it from https://ollama.com/download"
    command -v ollama >/dev/null 2>&1 || fail "Ollama is installed but not on PATH: open a new terminal and run this again"
}

check_version() {
    version=$(ollama --version 2>/dev/null | grep -Eo '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
    [ -n "$version" ] || return 0
    oldest=$(printf '%s\n%s\n' "$OLDEST" "$version" | sort -t . -k 1,1n -k 2,2n -k 3,3n | head -n 1)
    [ "$oldest" = "$OLDEST" ] || fail "Ollama $version is too old, $OLDEST is needed: update it from https://ollama.com/download"
}

start_server() {
    if ollama list >/dev/null 2>&1; then return 0; fi
    say "Starting Ollama ..."
    nohup ollama serve >/dev/null 2>&1 &
    waited=0
    until ollama list >/dev/null 2>&1; do
        [ "$waited" -lt "$WAIT_S" ] || fail "Ollama does not answer: run \`ollama serve\` in another terminal to see why"
        waited=$((waited + 1))
        sleep 1
    done
}

has_model() {
    case "$1" in *:*) name="$1" ;; *) name="$1:latest" ;; esac
    ollama list 2>/dev/null | awk -v name="$name" 'NR > 1 && $1 == name { found = 1 } END { exit !found }'
}

yes=0
profile=""
for word in "$@"; do
    case "$word" in
    --yes | -y) yes=1 ;;
    -h | --help)
        sed -n '2,9s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    -*) usage "there is no option $word" ;;
    *) profile="$word" ;;
    esac
done
[ -n "$profile" ] || profile=$(suitable_profile)
models=$(tags "$profile")

command -v ollama >/dev/null 2>&1 || install_ollama
check_version
start_server
for model in $models; do
    if has_model "$model"; then
        say "$model is there already."
    else
        say "Pulling $model ..."
        ollama pull "$model" || fail "$model could not be pulled: check the network and the disk, then run this again"
    fi
done
for model in $models; do
    answer=$(ollama run "$model" "Say hello in one word." </dev/null) || fail "$model does not answer: try \`ollama run $model\`"
    [ -n "$answer" ] || fail "$model gives an empty answer: pull it again by \`ollama rm $model\` and this script"
    say "$model answers."
done

say ""
say "Ready. Start the service with:"
say "  SHOPFLOOR_RUNTIME=ollama SHOPFLOOR_PROFILE=$profile shopfloor serve"
