# Sums the samples of `perf script` by stage: that of the innermost function of one of the agent's rooms, since a search, a
# copy or what all rooms share belongs to whom it serves. Prints the share of each stage, and of its dearest functions.

function stage_of(symbol) {
    if (symbol ~ /zlib_rs|flate2|crc32|isal|deflate|logferry::pack/) return "gzip"
    if (symbol ~ /logferry::collect/) return "read, cut into lines"
    if (symbol ~ /logferry::decode/) return "decode"
    if (symbol ~ /logferry::mask/) return "mask"
    if (symbol ~ /logferry::output::.*(answer|response)/) return "send, read answers"
    if (symbol ~ /logferry::(output|enrich|filter)/) return "encode"
    if (symbol ~ /logferry::ship/ || symbol ~ /reqwest|hyper/) return "send, read answers"
    if (symbol ~ /logferry::track/) return "track"
    if (symbol ~ /logferry::/ && symbol !~ /logferry::base/) return "the rest of the agent"
    return ""
}

# What the kernel did, by the innermost function that tells.
function work_of(symbol) {
    if (symbol ~ /page_fault/) return "kernel: memory"
    if (symbol ~ /statx|newfstat|getdents/) return "kernel: look at files and folders"
    if (symbol ~ /vfs_read|pread64/) return "kernel: read files"
    if (symbol ~ /sock_|tcp_|sys_send|sys_recv/) return "kernel: network"
    return ""
}

# One sample is a paragraph: a line of its own for the thread, then the frames from the innermost out.
/^[^ \t]/ { next }
/^$/ { if (stage != "" || leaf != "") count(); stage = leaf = ""; next }
{
    address = $1
    sub(/^[ \t]*[0-9a-f]+ /, "")
    sub(/::h[0-9a-f]+$/, "")
    in_kernel = address ~ /^ffffffff/
    if (leaf == "") { leaf = $0; if (in_kernel) stage = "kernel: others" }
    if (stage == "kernel: others" && in_kernel && work_of($0) != "") stage = work_of($0)
    if (stage == "") stage = stage_of($0)
}
END {
    if (leaf != "") count()
    for (name in samples) {
        printf "%5.1f %%  %s\n", 100 * samples[name] / all, name | "sort -rn"
    }
    close("sort -rn")
    print ""
    for (pair in inner) {
        if (inner[pair] * 100 >= all) printf "%5.1f %%  %s\n", 100 * inner[pair] / all, pair | "sort -rn"
    }
}

function count() {
    if (stage == "") stage = "libraries and threads of their own"
    all++
    samples[stage]++
    inner[stage ": " leaf]++
}
