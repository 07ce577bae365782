# Claws Mail on a display of its own: claws.sh WINDOW [PASSWORD DONE] [OPTION]...
# Starts it and waits for a window with WINDOW in its title. With PASSWORD, types that there and waits for DONE in the
# log; else has the program end, which is when it writes its files. Fails if something does not come about in time. The
# log goes to standard output.
window=$1 password=$2 done=$3
shift "$(($# < 3 ? $# : 3))"

wait_for() {
    deadline=$(($(date +%s) + 50))
    until "$@" > /dev/null 2>&1; do
        if [ "$(date +%s)" -gt "$deadline" ]; then
            echo "did not come about: $*" >&2
            tail -n 20 log >&2
            kill -s KILL "$program"
            wait "$program"
            exit 1
        fi
        sleep 0.1
    done
}

# A dialog that is still open would keep it from ending.
ends() {
    xdotool key Escape
    timeout 2 claws-mail --exit
    ! kill -0 "$program"
}

# There is no window manager that would give it the focus, and a window that is not shown yet cannot have it.
has_focus() {
    id=$(xdotool search --onlyvisible --name "$window" | head -n 1)
    xdotool windowfocus "$id"
    [ "$(xdotool getwindowfocus -f)" = "$id" ]
}

# A program that ends before it shows anything has lost its display: once more, but not again and again.
shows() {
    xdotool search --name "$window" && return
    if ! kill -0 "$program" && [ "$starts" -lt 3 ]; then
        start "$@"
    fi
    false
}

start() {
    starts=$((starts + 1))
    claws-mail --debug "$@" > log 2>&1 &
    program=$!
}

starts=0
start "$@"
wait_for shows "$@"
if [ -n "$password" ]; then
    wait_for has_focus
    xdotool type "$password"
    xdotool key Return
    wait_for grep --fixed-strings "$done" log
    kill -s KILL "$program"
    wait "$program"  # it must not write any more when the home is removed
else
    wait_for ends
fi
cat log
