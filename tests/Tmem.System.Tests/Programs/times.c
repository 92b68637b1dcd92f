/* times FILE STEPS: makes a file of 64 KiB, maps it, does STEPS, writes back what is left, and says whether the time of
   modification is "kept" as it was last set, or "moved". A step is a letter: "a" and "b" write to two pages of the mapping, "y"
   is msync, "w" writes by name, "s" sets the time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (64 << 10)

int main(int count, char **words)
{
    struct timespec times[2] = { { 1000000000, 5 }, { 1000000000, 5 } };
    int file = open(words[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
    struct stat found;
    char *map;

    if (count != 3 || file < 0 || ftruncate(file, SIZE)) return 1;
    map = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) return 2;
    for (const char *step = words[2]; *step; step++) {
        if (*step == 'a') map[0]++;
        else if (*step == 'b') map[SIZE - 1]++;
        else if (*step == 'y' && msync(map, SIZE, MS_SYNC)) return 3;
        else if (*step == 'w' && pwrite(file, step, 1, SIZE / 2) != 1) return 4;
        else if (*step == 's' && futimens(file, times)) return 5;
    }
    if (msync(map, SIZE, MS_SYNC) || fstat(file, &found)) return 6;
    puts(found.st_mtim.tv_sec == 1000000000 && found.st_mtim.tv_nsec == 5 ? "kept" : "moved");
    return 0;
}
