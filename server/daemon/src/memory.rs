//! Where the program's memory comes from. What must not live here: how much of it anything may take.

/// A process that runs for months and makes and drops small things on many threads: with 1,000 sandboxes the C library's allocator took a
/// third of what the runtime's thread does for an attachment to put together what was freed (docs/adr/0046).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Has this process take no huge pages. Where the kernel gives them to whoever does not object (`always` in transhuge.rst, the usual setting of Debian), the
/// allocator's reserve is made of them, and a service that does nothing has 75 MB instead of 38. Children would inherit it; `serve` has none.
pub(crate) fn without_huge_pages() {
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::debug!(%error, "huge pages can't be declined");
    }
}
