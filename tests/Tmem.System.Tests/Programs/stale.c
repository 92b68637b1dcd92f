/* stale FILE ROUNDS open|fcntl: two threads read a file through the page cache; beside them it is overwritten with
   asynchronous direct writes, one after the other. After each the file, read through the page cache, must be what was written.
   Prints how often it was not. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE 655360

static int reader;
static volatile int stop;

static void *read_on(void *unused)
{
    static __thread char data[SIZE];
    while (!stop)
        if (pread(reader, data, SIZE, 0) < 0) break;
    return unused;
}

int main(int count, char **words)
{
    static char seen[SIZE];
    int isOpen = count > 3 && !strcmp(words[3], "open"), stale = 0;
    int writer = open(words[1], O_RDWR | O_CREAT | (isOpen ? O_DIRECT : 0), 0600);
    char *data;
    aio_context_t context = 0;
    pthread_t threads[2];

    if (!isOpen) fcntl(writer, F_SETFL, O_DIRECT);
    reader = open(words[1], O_RDONLY);
    if (writer < 0 || reader < 0 || posix_memalign((void **)&data, 4096, SIZE)) return 1;
    memset(data, 0, SIZE);
    if (pwrite(writer, data, SIZE, 0) != SIZE || syscall(SYS_io_setup, 8, &context) != 0) return 2;
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, read_on, 0);
    for (int round = 1; round <= atoi(words[2]); round++) {
        struct iocb block = { 0 }, *blocks = &block;
        struct io_event event;
        memset(data, round, SIZE);
        block.aio_lio_opcode = IOCB_CMD_PWRITE;
        block.aio_fildes = writer;
        block.aio_buf = (unsigned long)data;
        block.aio_nbytes = SIZE;
        if (syscall(SYS_io_submit, context, 1, &blocks) != 1) return 3;
        if (syscall(SYS_io_getevents, context, 1, 1, &event, 0) != 1 || event.res != SIZE) return 4;
        if (pread(reader, seen, SIZE, 0) != SIZE || memcmp(seen, data, SIZE)) stale++;
    }
    stop = 1;
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    printf("%d\n", stale);
    return 0;
}
