# Verdict lines for the parts in sh:  . tests/deploy/kit/verdicts.sh; check "it lints" helm lint …; verdicts
# `check` runs the command and shows its output only if it fails; `refused WHAT PATTERN CMD…` wants it to fail and say why.

failed=0
passed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

check() {
    what=$1
    shift
    if "$@" >"$scratch/out" 2>&1 </dev/null; then
        echo "ok    $what"
        passed=$((passed + 1))
    else
        echo "FAIL  $what: $*"
        sed 's/^/      /' "$scratch/out"
        failed=$((failed + 1))
    fi
}

refused() {
    what=$1 pattern=$2
    shift 2
    if "$@" >"$scratch/out" 2>&1 </dev/null; then
        echo "FAIL  $what: was accepted: $*"
        failed=$((failed + 1))
    elif grep -qE -- "$pattern" "$scratch/out"; then
        echo "ok    $what"
        passed=$((passed + 1))
    else
        echo "FAIL  $what: refused without \`$pattern\`:"
        sed 's/^/      /' "$scratch/out"
        failed=$((failed + 1))
    fi
}

# The last line of a part.
verdicts() {
    echo "      $passed passed, $failed failed"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
