# Completions of tmemctl for fish. Made from what the program tells of itself: tests/Tmem.Manuals.Tests.

complete -c tmemctl -f

# Whether the words so far are this command: options and their values are none of it.
function __tmemctl_at
    set -l path
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
            continue
        end
        switch $word
            case --binary --codec --config --group --interval --limit \
                        --listen --log --mode --mount --owner --page-size --pool \
                        --priority --reserve --size --socket --spin --textfile \
                        --threads --timeout --watch --weight
                set value yes
            case help
                set -q path[1]; or set path help
            case '*'
                switch (string join ' ' tmemctl $path $word)
                    case 'tmemctl status' 'tmemctl top' 'tmemctl pool' \
                        'tmemctl pool list' 'tmemctl pool show' \
                        'tmemctl pool create' 'tmemctl pool set' \
                        'tmemctl pool reserve' 'tmemctl pool recompress' \
                        'tmemctl pool empty' 'tmemctl pool destroy' 'tmemctl swap' \
                        'tmemctl swap on' 'tmemctl swap off' 'tmemctl swap status' \
                        'tmemctl config' 'tmemctl config show' \
                        'tmemctl config check' 'tmemctl reload' 'tmemctl resize' \
                        'tmemctl shrink' 'tmemctl compact' 'tmemctl sync' \
                        'tmemctl save' 'tmemctl restore' 'tmemctl client' \
                        'tmemctl client list' 'tmemctl client set' 'tmemctl metrics' \
                        'tmemctl check' 'tmemctl upgrade' 'tmemctl adopt' \
                        'tmemctl recover' 'tmemctl stop'
                        set -a path $word
                end
        end
    end
    test "$path" = "$argv"
end

function __tmemctl_daemon
    set -l words (commandline -opc)
    for option in --socket --mount
        set -l at (contains -i -- $option $words); and printf '%s\n' $option $words[(math $at + 1)]
    end
end

function __tmemctl_pools
    tmemctl --timeout 1 (__tmemctl_daemon) pool list 2>/dev/null | sed '1d; s/  .*//'
end

function __tmemctl_devices
    tmemctl --timeout 1 (__tmemctl_daemon) swap status 2>/dev/null |
        awk -F '  +' '/^\/[^ :]+ / { print $5 }'
end

complete -c tmemctl -l help -s h -d 'Show help and usage information'
complete -c tmemctl -l socket -r -F -d 'The daemon'\''s control socket'
complete -c tmemctl -l mount -r -F -d 'Instead of --socket'
complete -c tmemctl -l json -d 'Print JSON for programs instead of text for people'
complete -c tmemctl -l timeout -x -d 'Seconds to wait for the daemon'\''s answer'
complete -c tmemctl -n '__tmemctl_at' -a status -d 'Shows the daemon, its memory and what it has stored'
complete -c tmemctl -n '__tmemctl_at' -a top -d 'Shows store'
complete -c tmemctl -n '__tmemctl_at' -a pool -d 'Pools'
complete -c tmemctl -n '__tmemctl_at' -a swap -d 'Swap on the store'
complete -c tmemctl -n '__tmemctl_at' -a config -d 'The files of settings'
complete -c tmemctl -n '__tmemctl_at' \
    -a reload -d 'Reads the settings again and applies what can be applied while the ...'
complete -c tmemctl -n '__tmemctl_at' -a resize -d 'Changes the store'\''s capacity while it is in use'
complete -c tmemctl -n '__tmemctl_at' -a shrink -d 'Gives memory back now'
complete -c tmemctl -n '__tmemctl_at' -a compact -d 'Moves pages together and gives the memory between them back'
complete -c tmemctl -n '__tmemctl_at' -a sync -d 'Writes the region'\''s file'
complete -c tmemctl -n '__tmemctl_at' -a save -d 'Saves pools with all their files'
complete -c tmemctl -n '__tmemctl_at' -a restore -d 'Makes the pools of a saved stream, with all their files'
complete -c tmemctl -n '__tmemctl_at' -a client -d 'Clients'
complete -c tmemctl -n '__tmemctl_at' -a metrics -d 'Prints what a monitor collects, in Prometheus'\'' text format'
complete -c tmemctl -n '__tmemctl_at' -a check -d 'Reads and cross-checks everything stored, while the daemon serves on'
complete -c tmemctl -n '__tmemctl_at' \
    -a upgrade -d 'Goes on with another program or other settings while the mount is in ...'
complete -c tmemctl -n '__tmemctl_at' -a adopt -d 'Has a worker whose keeper died start another keeper'
complete -c tmemctl -n '__tmemctl_at' -a recover -d 'Cleans up after a daemon of which no process is left'
complete -c tmemctl -n '__tmemctl_at' -a stop -d 'Unmounts and ends the daemon'
complete -c tmemctl -n '__tmemctl_at' -a help -d 'Shows this, or what a command does and takes'
complete -c tmemctl -n '__tmemctl_at' -l version -d 'Show version information'
complete -c tmemctl -n '__tmemctl_at status' -l watch -x -d 'Show it again every so many seconds until interrupted'
complete -c tmemctl -n '__tmemctl_at top' -l once -d 'Print one frame and end, as without a terminal'
complete -c tmemctl -n '__tmemctl_at top' -l interval -x -d 'Seconds between two looks'
complete -c tmemctl -n '__tmemctl_at pool' -a list -d 'Lists the pools'
complete -c tmemctl -n '__tmemctl_at pool' -a show -d 'Shows everything counted for a pool'
complete -c tmemctl -n '__tmemctl_at pool' -a create -d 'Creates a pool'
complete -c tmemctl -n '__tmemctl_at pool' -a set -d 'Changes settings of a pool while it is in use'
complete -c tmemctl -n '__tmemctl_at pool' -a reserve -d 'Guarantees a pool memory, whatever other pools store'
complete -c tmemctl -n '__tmemctl_at pool' \
    -a recompress -d 'Stores all pages of a pool that nobody has used lately smaller'
complete -c tmemctl -n '__tmemctl_at pool' \
    -a empty -d 'Removes all files and pages of a pool, which stays with its settings'
complete -c tmemctl -n '__tmemctl_at pool' -a destroy -d 'Destroys a pool and every page in it'
complete -c tmemctl -n '__tmemctl_at pool show' -a '(__tmemctl_pools)'
complete -c tmemctl -n '__tmemctl_at pool create' -l ephemeral -d 'Pages may vanish when room is needed'
complete -c tmemctl -n '__tmemctl_at pool create' -l limit -x -d 'Most memory the pool'\''s pages may take'
complete -c tmemctl -n '__tmemctl_at pool create' -l reserve -x -d 'Memory the pool is guaranteed'
complete -c tmemctl -n '__tmemctl_at pool create' \
    -l refuse-incompressible -d 'Refuse pages that do not shrink instead of storing them as they are'
complete -c tmemctl -n '__tmemctl_at pool create' \
    -l codec -x -a 'lz4 lz4-reference zstd' -d 'What its pages are compressed with'
complete -c tmemctl -n '__tmemctl_at pool create' -l page-size -x -d 'Bytes of a page'
complete -c tmemctl -n '__tmemctl_at pool create' \
    -l owner -x -a '(__fish_complete_users)' -d 'User that its directory belongs to, by name or number'
complete -c tmemctl -n '__tmemctl_at pool create' \
    -l group -x -a '(__fish_complete_groups)' -d 'Group that its directory belongs to'
complete -c tmemctl -n '__tmemctl_at pool create' -l mode -x -d 'Permissions of its directory'
complete -c tmemctl -n '__tmemctl_at pool set' -l limit -x -d 'Most memory the pool'\''s pages may take, or none'
complete -c tmemctl -n '__tmemctl_at pool set' -l reserve -x -d 'Memory the pool is guaranteed, or none'
complete -c tmemctl -n '__tmemctl_at pool set' \
    -l codec -x -a 'lz4 lz4-reference zstd' -d 'What new pages are compressed with'
complete -c tmemctl -n '__tmemctl_at pool set' \
    -l owner -x -a '(__fish_complete_users)' -d 'User that its directory belongs to, by name or number'
complete -c tmemctl -n '__tmemctl_at pool set' \
    -l group -x -a '(__fish_complete_groups)' -d 'Group that its directory belongs to'
complete -c tmemctl -n '__tmemctl_at pool set' -l mode -x -d 'Permissions of its directory'
complete -c tmemctl -n '__tmemctl_at pool set' -a '(__tmemctl_pools)'
complete -c tmemctl -n '__tmemctl_at pool reserve' -a '(__tmemctl_pools)'
complete -c tmemctl -n '__tmemctl_at pool recompress' -a '(__tmemctl_pools)'
complete -c tmemctl -n '__tmemctl_at pool empty' -a '(__tmemctl_pools)'
complete -c tmemctl -n '__tmemctl_at pool destroy' -l force -d 'Destroy it although it holds files'
complete -c tmemctl -n '__tmemctl_at pool destroy' -a '(__tmemctl_pools)'
complete -c tmemctl -n '__tmemctl_at swap' -a on -d 'Makes a swap device on the store and turns it on'
complete -c tmemctl -n '__tmemctl_at swap' -a off -d 'Turns swap off and undoes what '\''swap on'\'' made'
complete -c tmemctl -n '__tmemctl_at swap' -a status -d 'Shows the swap devices that stand on the store'
complete -c tmemctl -n '__tmemctl_at swap on' -l size -x -d 'Size of the swap device'
complete -c tmemctl -n '__tmemctl_at swap on' -l priority -x -d 'Swap priority from 0 to 32767'
complete -c tmemctl -n '__tmemctl_at swap on' \
    -l reserve -x -d 'Guarantee the pool that is made for swap this much of the store'
complete -c tmemctl -n '__tmemctl_at swap on' -l pool -x -a '(__tmemctl_pools)' -d 'The same as NAME'
complete -c tmemctl -n '__tmemctl_at swap on' \
    -l force -d 'Make it of --size even if that is more than 10 times the store'\''s ...'
complete -c tmemctl -n '__tmemctl_at swap on' -a '(__tmemctl_pools)'
complete -c tmemctl -n '__tmemctl_at swap off' -l all -d 'Every device, and what is left of earlier ones'
complete -c tmemctl -n '__tmemctl_at swap off' -l force -d 'Try it even if memory for what is swapped is missing'
complete -c tmemctl -n '__tmemctl_at swap off' -a '(__tmemctl_devices)'
complete -c tmemctl -n '__tmemctl_at config' -a show -d 'Shows every setting that holds and where it comes from'
complete -c tmemctl -n '__tmemctl_at config' \
    -a check -d 'Checks files of settings with the options of the daemon on --socket'
complete -c tmemctl -n '__tmemctl_at config show' -l config -r -F -d 'File of settings'
complete -c tmemctl -n '__tmemctl_at config check' -l config -r -F -d 'File of settings'
complete -c tmemctl -n '__tmemctl_at config check' -F
complete -c tmemctl -n '__tmemctl_at reload' -l dry-run -d 'Say what would be done, and do nothing'
complete -c tmemctl -n '__tmemctl_at reload' -l config -r -F -d 'File of settings'
complete -c tmemctl -n '__tmemctl_at save' -a '(__tmemctl_pools)'
complete -c tmemctl -n '__tmemctl_at restore' -F
complete -c tmemctl -n '__tmemctl_at client' -a list -d 'Lists the clients'
complete -c tmemctl -n '__tmemctl_at client' -a set -d 'Changes limit and weight of a client'
complete -c tmemctl -n '__tmemctl_at client set' \
    -l limit -x -d 'Most memory that all its pools together may take, or none'
complete -c tmemctl -n '__tmemctl_at client set' -l weight -x -d 'Its part of ephemeral memory when the store is full'
complete -c tmemctl -n '__tmemctl_at metrics' -l textfile -r -F -d 'Write them to this file instead'
complete -c tmemctl -n '__tmemctl_at metrics' -l listen -x -d 'Serve them over HTTP at /metrics until interrupted'
complete -c tmemctl -n '__tmemctl_at upgrade' \
    -l binary -r -F -d 'The program to go on with, a file that root alone can change'
complete -c tmemctl -n '__tmemctl_at upgrade' -l threads -x -d 'Threads that serve requests'
complete -c tmemctl -n '__tmemctl_at upgrade' -l spin -x -d 'Microseconds a thread polls before it sleeps'
complete -c tmemctl -n '__tmemctl_at upgrade' -l log -x -a 'debug info warning error' -d 'Least level of events to log'
complete -c tmemctl -n '__tmemctl_at upgrade' \
    -l codec -x -a 'lz4 lz4-reference zstd pool' -d 'What new pages are compressed with'
complete -c tmemctl -n '__tmemctl_at stop' -l force -d 'Stop a store that is memory alone'
complete -c tmemctl -n '__tmemctl_at stop' \
    -l discard -d 'Stop even if the region'\''s file cannot be written or has been removed'
complete -c tmemctl -n '__tmemctl_at stop' \
    -l swap-off -d 'Turn swap on the store off first, as '\''swap off --all'\'' does'
complete -c tmemctl -n '__tmemctl_at stop' -l no-wait -d 'Return when the daemon has unmounted'
complete -c tmemctl -n '__tmemctl_at help' \
    -a 'status top pool swap config reload resize shrink compact sync save restore client metrics check upgrade adopt recover stop help'
