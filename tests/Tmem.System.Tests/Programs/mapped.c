/* mapped FILE: makes a file of 8 MiB, maps it, writes 64 KiB at 1 MiB and a page at each fourth MiB through the
   mapping, says "ready", and keeps the mapping open until its standard input ends. Then, "times": writes to the mapping again,
   sets the time of modification to 1000000000, closes all, and prints that time as the file has it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (8 << 20)

int main(int count, char **words)
{
    int file = open(words[1], O_RDWR | O_CREAT | (count > 2 ? O_DIRECT : 0), 0644);
    struct timespec times[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
    struct stat found;
    char *map;

    if (file < 0 || ftruncate(file, SIZE)) return 1;
    map = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) return 2;
    memset(map + (1 << 20), 'x', 65536);
    memset(map + (4 << 20), 'y', 4096);
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF) { }
    map[0] = 'z';
    if (futimens(file, times)) return 3;
    if (munmap(map, SIZE) || close(file) || stat(words[1], &found)) return 4;
    printf("%ld\n", (long)found.st_mtime);
    return 0;
}
