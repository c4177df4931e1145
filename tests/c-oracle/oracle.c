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
