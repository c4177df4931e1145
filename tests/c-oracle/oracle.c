/* The system's own macros, behind functions. Offsets instead of pointers; NONE stands for a null pointer. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define NONE SIZE_MAX

size_t oracle_header_size(void) { return sizeof(struct cmsghdr); }
size_t oracle_len_offset(void) { return offsetof(struct cmsghdr, cmsg_len); }
size_t oracle_len_width(void) { return sizeof(((struct cmsghdr *)0)->cmsg_len); }
size_t oracle_level_offset(void) { return offsetof(struct cmsghdr, cmsg_level); }
size_t oracle_type_offset(void) { return offsetof(struct cmsghdr, cmsg_type); }
size_t oracle_len(size_t n) { return CMSG_LEN(n); }
size_t oracle_space(size_t n) { return CMSG_SPACE(n); }
int oracle_sol_socket(void) { return SOL_SOCKET; }
int oracle_scm_rights(void) { return SCM_RIGHTS; }

/* Where the payload of a header at this address begins, from the header. */
size_t oracle_data_offset(void *header) {
    return (size_t)((unsigned char *)CMSG_DATA((struct cmsghdr *)header) - (unsigned char *)header);
}

static struct msghdr message(void *control, size_t control_len) {
    struct msghdr msg;
    memset(&msg, 0, sizeof msg);
    msg.msg_control = control;
    msg.msg_controllen = control_len;
    return msg;
}

size_t oracle_first_header(void *control, size_t control_len) {
    struct msghdr msg = message(control, control_len);
    struct cmsghdr *first = CMSG_FIRSTHDR(&msg);
    return first ? (size_t)((unsigned char *)first - (unsigned char *)control) : NONE;
}

size_t oracle_next_header(void *control, size_t control_len, size_t offset) {
    struct msghdr msg = message(control, control_len);
    struct cmsghdr *next = CMSG_NXTHDR(&msg, (struct cmsghdr *)((unsigned char *)control + offset));
    return next ? (size_t)((unsigned char *)next - (unsigned char *)control) : NONE;
}

/* Whether CMSG_NXTHDR may be asked about a header whose length is false, and shows every header that has room: glibc's
   since 2.36. (musl's may be asked, but does not show a header at the very end.) */
#if defined(__GLIBC__)
#define IS_CHECKED __GLIBC_PREREQ(2, 36)
#else
#define IS_CHECKED 0
#endif

int oracle_is_checked(void) { return IS_CHECKED; }

/* A header that the macros lead to. */
struct oracle_header {
    size_t offset;
    size_t len;
    size_t data_offset;
    int level;
    int type;
    /* Whether the length covers the header and fits in the buffer. */
    int is_defined;
    /* Whether another header comes after one that is not defined. Not asked of a library that does not check. */
    int is_followed;
};

/* The headers in a buffer, by the loop of cmsg(3). A header is followed only if that is defined, so that the loop ends
   and reads nothing outside, whatever is in the buffer. Returns how many there are: at most control_len / 12 + 1. */
size_t oracle_walk(void *control, size_t control_len, struct oracle_header *headers) {
    struct msghdr msg = message(control, control_len);
    size_t count = 0;
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
        struct oracle_header *header = &headers[count++];
        header->offset = (size_t)((unsigned char *)cmsg - (unsigned char *)control);
        header->len = cmsg->cmsg_len;
        header->data_offset = (size_t)((unsigned char *)CMSG_DATA(cmsg) - (unsigned char *)control);
        header->level = cmsg->cmsg_level;
        header->type = cmsg->cmsg_type;
        header->is_defined = header->len >= CMSG_LEN(0) && header->len <= control_len - header->offset;
        header->is_followed = 0;
        if (!header->is_defined) {
            header->is_followed = IS_CHECKED && CMSG_NXTHDR(&msg, cmsg) != NULL;
            break;
        }
    }
    return count;
}

/* Writes a message after the one at `last`, or the first one if that is NONE, as C programs do, into zeroed memory.
   Returns where, or NONE if it has no room. */
size_t oracle_append(void *control, size_t control_len, size_t last, int level, int type, const void *payload,
                     size_t n) {
    size_t offset =
        last == NONE ? oracle_first_header(control, control_len) : oracle_next_header(control, control_len, last);
    if (offset == NONE || CMSG_LEN(n) > control_len - offset)
        return NONE;
    struct cmsghdr *cmsg = (struct cmsghdr *)((unsigned char *)control + offset);
    cmsg->cmsg_level = level;
    cmsg->cmsg_type = type;
    cmsg->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(cmsg), payload, n);
    return offset;
}
