# Sums the samples of `perf script` by stage: that of the innermost function that is the agent's own, since a search or a
# copy belongs to whom it serves. Prints the share of each stage, and of its innermost functions of any crate.

function stage_of(symbol) {
    if (symbol ~ /zlib_rs|flate2|crc32/) return "gzip"
    if (symbol ~ /logferry::collect/) return "read, cut into lines"
    if (symbol ~ /logferry::decode/) return "decode"
    if (symbol ~ /logferry::mask/) return "mask"
    if (symbol ~ /logferry::(output|enrich|filter)/) return "encode"
    if (symbol ~ /logferry::ship/ || symbol ~ /reqwest|hyper/) return "send, read answers"
    if (symbol ~ /logferry::track/) return "track"
    if (symbol ~ /logferry::/) return "the rest of the agent"
    return ""
}

# One sample is a paragraph: a line of its own for the thread, then the frames from the innermost out.
/^[^ \t]/ { next }
/^$/ { if (stage != "" || leaf != "") count(); stage = leaf = ""; next }
{
    address = $1
    sub(/^[ \t]*[0-9a-f]+ /, "")
    sub(/::h[0-9a-f]+$/, "")
    if (leaf == "") { leaf = $0; if (address ~ /^ffffffff/) stage = "kernel" }
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
    if (stage == "") stage = "others"
    all++
    samples[stage]++
    inner[stage ": " leaf]++
}
