# Completions of tmemd for fish. Made from what the program tells of itself: tests/Tmem.Manuals.Tests.

complete -c tmemd -f
complete -c tmemd -l help -s h -d 'Show help and usage information'
complete -c tmemd -l version -d 'Show version information'
complete -c tmemd -l config -r -F -d 'File of settings'
complete -c tmemd -l mount -r -F -d 'Directory to mount the file system on'
complete -c tmemd \
    -l mount-options -x -a 'ro rw nosuid suid nodev dev noexec exec nosymfollow symfollow' -d 'Flags of the mount, separated by commas'
complete -c tmemd -l mount-source -x -a '(__tmemctl_pools)' -d 'First column of the mount table'
complete -c tmemd -l capacity -x -d 'Most real memory the store may take, its metadata included'
complete -c tmemd -l region -r -F -d 'File that keeps the store across restarts and power cuts'
complete -c tmemd -l sync-interval -x -d 'Seconds that a change waits at most before it is written to the ...'
complete -c tmemd -l socket -r -F -d 'Unix socket for tmemctl'
complete -c tmemd \
    -l socket-group -x -a '(__fish_complete_groups)' -d 'Group whose members may ask for figures over the socket'
complete -c tmemd -l threads -x -d 'Threads that serve requests'
complete -c tmemd -l spin -x -d 'Microseconds a thread polls for the next request before it sleeps'
complete -c tmemd -l codec -x -a 'lz4 lz4-reference zstd pool' -d 'What new pages are compressed with'
complete -c tmemd -l recompress -x -d 'Percent of one processor to spend on storing pages smaller that nobody ...'
complete -c tmemd -l recompress-level -x -d 'Level of Zstandard for that, 1 to 19'
complete -c tmemd -l huge-pages -d 'Hold full parts of a store without a file in pages of 2 MiB'
complete -c tmemd -l drop-damaged -d 'If the region'\''s file is damaged'
complete -c tmemd -l check-region -r -F -d 'Read a region'\''s file that no daemon has open'
complete -c tmemd -l log -x -a 'debug info warning error' -d 'Least level of events to write to standard error'
