# shellcheck shell=bash
# Completion of pipework for bash: interfaces, guests, verbs, options, ways to get an address.

_pipework_guests() {
    {
        if [[ -S /var/run/docker.sock ]]; then docker ps --format '{{.Names}}'; fi
        if type -P podman >/dev/null; then podman ps --format '{{.Names}}'; fi
        if type -P lxc-ls >/dev/null; then lxc-ls --running -1; fi
        ip netns list | sed 's/ .*//; s/^/netns:/'
    } 2>/dev/null
}

_pipework_links() {
    local folder
    for folder in /sys/class/net/*/; do
        folder=${folder%/}
        if [[ ${folder##*/} != lo ]]; then echo "${folder##*/}"; fi
        # an address is only offered to who has begun to type one
        if [[ $1 == mac:* ]]; then sed 's/^/mac:/' "$folder/address"; fi
    done 2>/dev/null
}

# One a line, what may come next; the arguments are the words so far, the last of them what is being typed.
_pipework_choices() {
    local word option='' verb='' hostif='' guest='' address='' current=${*: -1}
    set -- "${@:1:$#-1}"
    for word; do
        if [[ $option ]]; then
            option=''
        elif [[ ! $guest && $word == -[ila] || $verb == del && $word == -i ]]; then
            option=$word
        elif [[ ! $hostif && $word == --@(wait|help|version) ]]; then
            verb=$word hostif=$word
        elif [[ $word == --* ]]; then
            continue
        elif [[ ! $hostif ]]; then
            hostif=$word
            if [[ $word == @(route|rule|tc|ls|del|gc) && ! -e /sys/class/net/$word ]]; then verb=$word; fi
        elif [[ ! $guest ]]; then
            guest=$word
        else
            address=$word
        fi
    done
    case $option in
        -a) printf '%s\n' 4 6 && return ;;
        -i) printf '%s\n' eth0 eth1 && return ;;
        -l) return ;;
    esac
    case $verb in
        --wait) printf '%s\n' -i ;;
        ls) printf '%s\n' --json ;;
        del) printf '%s\n' -i --all --if-exists --dry-run ;;
        gc) printf '%s\n' --dry-run ;;
        '')
            if [[ ! $hostif ]]; then
                printf '%s\n' route rule tc ls del gc --direct-phys --dry-run --replace
                if (($# == 0)); then printf '%s\n' --wait --help --version; fi
                _pipework_links "$current"
            elif [[ ! $guest ]]; then
                printf '%s\n' -i -l -a --direct-phys
            elif [[ ! $address ]]; then
                printf '%s\n' 0/0 dhcp udhcpc udhcpc-f dhclient dhclient-f dhcpcd
            fi
            ;;
    esac
    case $guest:$address:$verb in
        ?*::route) printf '%s\n' show add del replace get ;;
        ?*::rule) printf '%s\n' show add del ;;
        ?*::tc) printf '%s\n' qdisc class filter ;;
    esac
    if [[ $hostif && ! $guest && $verb != @(--*|gc) ]]; then _pipework_guests; fi
}

_pipework() {
    local line=${COMP_LINE:0:COMP_POINT} choice current kept='' words
    # bash breaks words at colons, which names here contain; readline keeps what stands before the last one
    read -ra words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then words+=(''); fi
    current=${words[-1]}
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then kept=${current%"${current##*:}"}; fi
    COMPREPLY=()
    while read -r choice; do
        if [[ $choice == "$current"* ]]; then COMPREPLY+=("${choice#"$kept"}"); fi
    done < <(_pipework_choices "${words[@]:1}")
}

complete -F _pipework pipework
