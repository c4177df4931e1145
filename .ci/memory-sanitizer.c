/* Tells the memory sanitizer what functions of the C library have written that it does not know itself.
 *
 * It knows `fstat` and its like by the names that they had before glibc 2.33, `__fxstat` and so on. Without this it takes what they write
 * for unwritten. `.ci/sanitizers` links this into every program, where it stands before the C library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

void __msan_unpoison(const volatile void *address, size_t size);

/* The function of the C library that is called NAME, and what it has written if it returns 0. */
#define WRITES(NAME, FIRST, STRUCTURE) \
    int NAME(FIRST first, STRUCTURE *written) { \
        int (*function)(FIRST, STRUCTURE *) = (int (*)(FIRST, STRUCTURE *)) dlsym(RTLD_NEXT, #NAME); \
        if (!function) \
            abort(); \
        int result = function(first, written); \
        if (result == 0) \
            __msan_unpoison(written, sizeof *written); \
        return result; \
    }

WRITES(fstat, int, struct stat)
WRITES(fstat64, int, struct stat64)
WRITES(stat64, const char *, struct stat64)
