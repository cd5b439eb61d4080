/*
 * Writes two values in turn to words of a guest's page, as fast as a processor can: a guest that changes its
 * ring while it is read. Says `flipping` when it has begun, ends when its input does.
 *
 *   page-flipper MEMORY PAGE-OFFSET VALUE VALUE WORD-OFFSET...
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WORDS_MAX 64
#define ROUNDS 100000

int main(int argc, char **argv)
{
    volatile uint32_t *words[WORDS_MAX];
    uint32_t values[2];
    int count = argc - 5;
    struct pollfd input = { .fd = 0, .events = POLLIN };

    if (count < 1 || count > WORDS_MAX) return 2;
    int memory = open(argv[1], O_RDWR);
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, atoll(argv[2]));
    if (memory < 0 || page == MAP_FAILED) {
        perror(argv[1]);
        return 1;
    }
    for (int i = 0; i < 2; i++) values[i] = (uint32_t)strtoul(argv[3 + i], NULL, 0);
    for (int i = 0; i < count; i++) words[i] = (volatile uint32_t *)(page + atoi(argv[5 + i]));
    puts("flipping");
    fflush(stdout);
    while (poll(&input, 1, 0) == 0)
        for (int round = 0; round < ROUNDS; round++)
            for (int i = 0; i < count; i++) *words[i] = values[round % 2];
    return 0;
}
