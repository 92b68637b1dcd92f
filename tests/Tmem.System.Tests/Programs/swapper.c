// A process that swaps, compiled by the tests that need one with what a fresh machine has.
//   swapper hold MEBIBYTES random|text [shared]
//                                          fills that much memory, prints "filled", waits for the end of its input, then looks
//                                          at every page: prints "right", or the number of the first page that is wrong
//                                          and exits with 4
//   swapper walk MEBIBYTES PASSES LOOKUPS  small objects that count who refers to them: walks over all of them as a garbage
//                                          collector does, then looks objects up at random; each visit writes. Prints
//                                          "done"
//   swapper rewrite MEBIBYTES WRITES       fills that much memory, then writes to that many pages at random; prints "filled",
//                                          and waits for the end of its input
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static uint64_t state = 88172645463325252ull;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void fill(uint64_t *page, uint64_t number, int random)
{
    state = number * 0x9e3779b97f4a7c15ull + 1;
    for (int i = 0; i < 512; i++) page[i] = random || i % 4 == 0 ? next_random() : number;
}

static int hold(char *memory, size_t bytes, int random)
{
    static uint64_t want[512];
    for (size_t at = 0; at < bytes; at += 4096) fill((uint64_t *)(memory + at), at / 4096, random);
    puts("filled");
    fflush(stdout);
    while (getchar() != EOF) {}
    for (size_t at = 0; at < bytes; at += 4096) {
        fill(want, at / 4096, random);
        if (memcmp(memory + at, want, 4096) != 0) return printf("page %zu is wrong\n", at / 4096), 4;
    }
    puts("right");
    return 0;
}

struct object { uint64_t references, other, contents[6]; };

static int walk(char *memory, size_t bytes, long passes, long lookups)
{
    struct object *objects = (struct object *)memory;
    size_t count = bytes / sizeof *objects;
    for (size_t i = 0; i < count; i++) objects[i] = (struct object){1, next_random() % count, {i, i % 7, i % 11}};
    for (long pass = 0; pass < passes; pass++)
        for (size_t i = 0; i < count; i++) objects[i].references++;
    for (long i = 0; i < lookups; i++) {
        size_t found = next_random() % count;
        objects[found].references++;
        objects[objects[found].other].references++;
    }
    puts("done");
    return 0;
}

static int rewrite(char *memory, size_t bytes, long writes)
{
    for (size_t at = 0; at < bytes; at += 4096) fill((uint64_t *)(memory + at), at / 4096, 0);
    state = 1;
    for (long i = 0; i < writes; i++) ++*(uint64_t *)(memory + next_random() % (bytes / 4096) * 4096);
    puts("filled");
    fflush(stdout);
    while (getchar() != EOF) {}
    return 0;
}

int main(int count, char **words)
{
    if (count < 4) return 2;
    size_t bytes = strtoull(words[2], NULL, 10) << 20;
    int kind = count > 4 && strcmp(words[4], "shared") == 0 ? MAP_SHARED : MAP_PRIVATE;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 3;
    if (strcmp(words[1], "hold") == 0) return hold(memory, bytes, strcmp(words[3], "random") == 0);
    if (strcmp(words[1], "rewrite") == 0) return rewrite(memory, bytes, atol(words[3]));
    return walk(memory, bytes, atol(words[3]), count > 4 ? atol(words[4]) : 0);
}
