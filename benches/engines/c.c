// What a careful C programmer writes, with the system's own macros.
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// In the order in which src/lib.rs says it.
static uint64_t mix(uint64_t digest, uint64_t number) {
    return digest * 31 + number;
}

uint64_t c_read(unsigned char *bytes, size_t len) {
    struct msghdr header = {.msg_control = bytes, .msg_controllen = len};
    uint64_t digest = 0;
    for (struct cmsghdr *message = CMSG_FIRSTHDR(&header); message; message = CMSG_NXTHDR(&header, message)) {
        if (message->cmsg_len < CMSG_LEN(0))
            break;
        if (message->cmsg_level == SOL_SOCKET && message->cmsg_type == SCM_RIGHTS) {
            size_t count = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t index = 0; index < count; index++) {
                int descriptor;
                memcpy(&descriptor, CMSG_DATA(message) + index * sizeof descriptor, sizeof descriptor);
                digest = mix(digest, (uint32_t)descriptor);
            }
        } else if (message->cmsg_level == SOL_SOCKET && message->cmsg_type == SCM_CREDENTIALS) {
            struct ucred credentials;
            if (message->cmsg_len != CMSG_LEN(sizeof credentials))
                break;
            memcpy(&credentials, CMSG_DATA(message), sizeof credentials);
            digest = mix(mix(mix(digest, (uint32_t)credentials.pid), credentials.uid), credentials.gid);
        }
    }
    return digest;
}

size_t c_write(unsigned char *bytes, size_t len, const int descriptors[2], const uint32_t *ids, size_t messages) {
    struct ucred credentials = {.pid = (pid_t)ids[0], .uid = ids[1], .gid = ids[2]};
    struct msghdr header = {.msg_control = bytes, .msg_controllen = len};
    // As cmsg(3) says: some CMSG_NXTHDR read the header they return. It also clears the padding.
    memset(bytes, 0, len);
    size_t used = 0;
    struct cmsghdr *message = CMSG_FIRSTHDR(&header);
    for (size_t index = 0; index < messages && message; index++, message = CMSG_NXTHDR(&header, message)) {
        message->cmsg_level = SOL_SOCKET;
        if (index % 2 == 0) {
            message->cmsg_type = SCM_RIGHTS;
            message->cmsg_len = CMSG_LEN(2 * sizeof(int));
            memcpy(CMSG_DATA(message), descriptors, 2 * sizeof(int));
            used += CMSG_SPACE(2 * sizeof(int));
        } else {
            message->cmsg_type = SCM_CREDENTIALS;
            message->cmsg_len = CMSG_LEN(sizeof credentials);
            memcpy(CMSG_DATA(message), &credentials, sizeof credentials);
            used += CMSG_SPACE(sizeof credentials);
        }
    }
    return used;
}

// Passes `count` descriptors from one socket to another, and closes what arrives. Returns how many that were.
static inline size_t pass(int from, int to, const int *descriptors, size_t count, void *control, size_t len) {
    char data = 'd';
    struct iovec slice = {.iov_base = &data, .iov_len = 1};
    struct msghdr header = {.msg_iov = &slice, .msg_iovlen = 1, .msg_control = control, .msg_controllen = len};
    struct cmsghdr *message = CMSG_FIRSTHDR(&header);
    message->cmsg_level = SOL_SOCKET;
    message->cmsg_type = SCM_RIGHTS;
    message->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(message), descriptors, count * sizeof(int));
    if (sendmsg(from, &header, 0) != 1)
        return 0;

    header.msg_controllen = len;
    if (recvmsg(to, &header, MSG_CMSG_CLOEXEC) != 1)
        return 0;
    // What has arrived is closed, truncated or not.
    size_t closed = 0;
    for (message = CMSG_FIRSTHDR(&header); message; message = CMSG_NXTHDR(&header, message)) {
        if (message->cmsg_level != SOL_SOCKET || message->cmsg_type != SCM_RIGHTS)
            continue;
        size_t arrived = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < arrived; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(message) + index * sizeof descriptor, sizeof descriptor);
            close(descriptor);
            closed++;
        }
    }
    return header.msg_flags & MSG_CTRUNC ? 0 : closed;
}

size_t c_pass_one(int from, int to, const int *descriptors) {
    _Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))] = {0};
    return pass(from, to, descriptors, 1, control, sizeof control);
}

size_t c_pass_253(int from, int to, const int *descriptors) {
    _Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(253 * sizeof(int))];
    // All else is written. To clear the whole would be `rep stosq`: see README.
    memset(control + CMSG_LEN(253 * sizeof(int)), 0, sizeof control - CMSG_LEN(253 * sizeof(int)));
    return pass(from, to, descriptors, 253, control, sizeof control);
}

enum { BATCH = 64, DATA = 64, ROOM = CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int)) };

struct rooms {
    unsigned char data[BATCH][DATA];
    struct iovec slices[BATCH];
    struct sockaddr_storage addresses[BATCH];
    _Alignas(struct cmsghdr) unsigned char controls[BATCH][ROOM];
    struct mmsghdr headers[BATCH];
};

// What stays as it is from call to call.
static void prepare(struct rooms *rooms, int with_control) {
    for (size_t index = 0; index < BATCH; index++) {
        rooms->slices[index] = (struct iovec){rooms->data[index], DATA};
        rooms->headers[index].msg_hdr = (struct msghdr){
            .msg_name = &rooms->addresses[index],
            .msg_iov = &rooms->slices[index],
            .msg_iovlen = 1,
            .msg_control = with_control ? rooms->controls[index] : NULL,
        };
    }
}

// What a call that receives changes, to its first state.
static void reset(struct rooms *rooms, int with_control) {
    for (size_t index = 0; index < BATCH; index++) {
        struct msghdr *header = &rooms->headers[index].msg_hdr;
        header->msg_namelen = sizeof rooms->addresses[index];
        header->msg_controllen = with_control ? ROOM : 0;
    }
}

// What came beside a datagram: the address it was sent to, and its mark.
static void look(struct msghdr *header, struct in_addr *address, unsigned char *mark) {
    for (struct cmsghdr *message = CMSG_FIRSTHDR(header); message; message = CMSG_NXTHDR(header, message)) {
        if (message->cmsg_level != IPPROTO_IP)
            continue;
        if (message->cmsg_type == IP_PKTINFO && message->cmsg_len == CMSG_LEN(sizeof(struct in_pktinfo))) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(message), sizeof info);
            *address = info.ipi_spec_dst;
        } else if (message->cmsg_type == IP_TOS && message->cmsg_len == CMSG_LEN(1)) {
            *mark = *CMSG_DATA(message);
        }
    }
}

// Sends 64 datagrams with one call and receives them with another, so many times.
uint64_t c_batch(int from, int to, int with_control, size_t turns) {
    static struct rooms here, there;
    static unsigned char out[BATCH][CMSG_SPACE(sizeof(int))];
    for (size_t index = 0; index < BATCH; index++) {
        here.data[index][0] = (unsigned char)index;
        here.slices[index] = (struct iovec){here.data[index], DATA};
        here.headers[index].msg_hdr = (struct msghdr){
            .msg_iov = &here.slices[index],
            .msg_iovlen = 1,
            .msg_control = with_control ? out[index] : NULL,
            .msg_controllen = with_control ? sizeof out[index] : 0,
        };
    }
    prepare(&there, with_control);
    uint64_t digest = 0;
    for (size_t turn = 0; turn < turns; turn++) {
        for (size_t index = 0; with_control && index < BATCH; index++) {
            struct cmsghdr *message = CMSG_FIRSTHDR(&here.headers[index].msg_hdr);
            message->cmsg_level = IPPROTO_IP;
            message->cmsg_type = IP_TOS;
            message->cmsg_len = CMSG_LEN(sizeof(int));
            int mark = (int)(index % 4);
            memcpy(CMSG_DATA(message), &mark, sizeof mark);
        }
        if (sendmmsg(from, here.headers, BATCH, 0) != BATCH)
            return 0;
        reset(&there, with_control);
        if (recvmmsg(to, there.headers, BATCH, MSG_CMSG_CLOEXEC, NULL) != BATCH)
            return 0;
        for (size_t index = 0; index < BATCH; index++) {
            struct in_addr address = {0};
            unsigned char mark = 0;
            look(&there.headers[index].msg_hdr, &address, &mark);
            digest = mix(mix(mix(digest, there.headers[index].msg_len), there.data[index][0]), mark);
        }
    }
    return digest;
}

// Receives up to 64 datagrams with one call, and answers each from the address it was sent to, with its mark.
size_t c_echo(int socket) {
    static struct rooms rooms;
    static unsigned char out[BATCH][ROOM];
    static struct iovec slices[BATCH];
    static struct mmsghdr answers[BATCH];
    if (!rooms.slices[0].iov_len)
        prepare(&rooms, 1);
    reset(&rooms, 1);
    int count = recvmmsg(socket, rooms.headers, BATCH, MSG_CMSG_CLOEXEC | MSG_WAITFORONE, NULL);
    for (int index = 0; index < count; index++) {
        struct in_pktinfo info = {0};
        unsigned char mark = 0;
        look(&rooms.headers[index].msg_hdr, &info.ipi_spec_dst, &mark);
        slices[index] = (struct iovec){rooms.data[index], rooms.headers[index].msg_len};
        struct msghdr *header = &answers[index].msg_hdr;
        *header = (struct msghdr){
            .msg_name = rooms.headers[index].msg_hdr.msg_name,
            .msg_namelen = rooms.headers[index].msg_hdr.msg_namelen,
            .msg_iov = &slices[index],
            .msg_iovlen = 1,
            .msg_control = out[index],
            .msg_controllen = ROOM,
        };
        struct cmsghdr *message = CMSG_FIRSTHDR(header);
        message->cmsg_level = IPPROTO_IP;
        message->cmsg_type = IP_PKTINFO;
        message->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(message), &info, sizeof info);
        message = CMSG_NXTHDR(header, message);
        int wide = mark;
        message->cmsg_level = IPPROTO_IP;
        message->cmsg_type = IP_TOS;
        message->cmsg_len = CMSG_LEN(sizeof wide);
        memcpy(CMSG_DATA(message), &wide, sizeof wide);
    }
    return count > 0 && sendmmsg(socket, answers, (unsigned)count, 0) == count ? (size_t)count : 0;
}
