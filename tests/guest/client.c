/* The clients of scripts/soak guest, each of which knows what it must read.
 *   client memory MEBIBYTES COUNTER    touches its own memory at random, more of it than its group may have
 *   client files DIRECTORY COUNTER     writes, reads back through and round the page cache, renames, syncs and removes files
 * COUNTER is a file whose eight bytes grow with each step. Both end when COUNTER.stop is there,
 * say what they found, and exit with 1 if it was wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { page_bytes = 4096, noise_bytes = 1024 };

static uint64_t *counter;
static char stop[4096];
static uint64_t state = 88172645463325252ull;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static void fail(const char *what)
{
	printf("client: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A quarter of noise that page and version decide, and a run: a page that shrinks, and is like no other. */
static void fill(unsigned char *page, uint64_t number, uint64_t version)
{
	uint64_t x = number * 0x9e3779b97f4a7c15ull ^ version * 0xc2b2ae3d27d4eb4full ^ 1;
	for (int i = 0; i < noise_bytes; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(page + i, &x, 8);
	}
	memset(page + noise_bytes, (int)version, page_bytes - noise_bytes);
}

static int wrong(const unsigned char *page, uint64_t number, uint64_t version)
{
	static unsigned char expected[page_bytes];
	fill(expected, number, version);
	return memcmp(page, expected, page_bytes) != 0;
}

static int memory(uint64_t mebibytes)
{
	uint64_t pages = mebibytes << 8, bad = 0, touches = 0;
	unsigned char *start = mmap(NULL, pages * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *versions = calloc(pages, 8);
	if (start == MAP_FAILED || !versions) fail("memory");
	madvise(start, pages * page_bytes, MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < pages; i++, ++*counter) fill(start + i * page_bytes, i, 0);
	while (access(stop, F_OK) != 0) {
		for (int i = 0; i < 64; i++, touches++, ++*counter) {
			uint64_t number = next() % pages;
			unsigned char *page = start + number * page_bytes;
			bad += (uint64_t)wrong(page, number, versions[number]);
			if (next() % 2) fill(page, number, ++versions[number]);
		}
	}
	for (uint64_t i = 0; i < pages; i++) bad += (uint64_t)wrong(start + i * page_bytes, i, versions[i]);
	printf("client memory: %llu pages, %llu touches, %llu wrong\n",
		(unsigned long long)pages, (unsigned long long)touches, (unsigned long long)bad);
	return bad != 0;
}

static uint64_t read_back(const char *name, int flags, uint64_t number, uint64_t pages, unsigned char *page)
{
	uint64_t bad = 0;
	int file = open(name, O_RDONLY | flags);
	if (file < 0) fail(name);
	for (uint64_t i = 0; i < pages; i++) {
		ssize_t got = read(file, page, page_bytes);
		if (got < 0) fail("read");
		bad += got != page_bytes || wrong(page, i, number);
	}
	close(file);
	return bad;
}

static int files(const char *directory)
{
	enum { pages = 16 };
	uint64_t number = 0, bad = 0;
	unsigned char *page = aligned_alloc(page_bytes, page_bytes);
	char name[4200], moved[4200];
	for (; access(stop, F_OK) != 0; number++, ++*counter) {
		snprintf(name, sizeof name, "%s/f%llu", directory, (unsigned long long)number);
		snprintf(moved, sizeof moved, "%s/g%llu", directory, (unsigned long long)number % 8);
		int file = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
		if (file < 0) fail(name);
		for (uint64_t i = 0; i < pages; i++) {
			fill(page, i, number);
			if (write(file, page, page_bytes) != page_bytes) fail("write");
		}
		if (fsync(file) != 0) fail("fsync");
		close(file);
		bad += read_back(name, 0, number, pages, page);
		if (rename(name, moved) != 0) fail("rename");
		if (access(name, F_OK) == 0) bad++;
		bad += read_back(moved, O_DIRECT, number, pages, page);
		if (number % 3 == 0 && unlink(moved) != 0) fail("unlink");
	}
	printf("client files: %llu rounds, %llu wrong\n",
		(unsigned long long)number, (unsigned long long)bad);
	return bad != 0;
}

int main(int count, char **words)
{
	if (count != 4) return 2;
	int file = open(words[3], O_CREAT | O_RDWR, 0600);
	if (file < 0 || ftruncate(file, 8) != 0) fail(words[3]);
	counter = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (counter == MAP_FAILED) fail("counter");
	snprintf(stop, sizeof stop, "%s.stop", words[3]);
	return strcmp(words[1], "memory") == 0 ? memory(strtoull(words[2], NULL, 10)) : files(words[2]);
}
