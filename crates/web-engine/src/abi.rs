//! The binary interface: the caller asks for room with [`loquat_input`], writes UTF-8 there, calls [`loquat_call`] and
//! reads as many bytes as that returned at [`loquat_output`]. A WebAssembly module has one thread, and so one engine.

use std::cell::RefCell;

use crate::Host;

#[derive(Default)]
struct Instance {
    host: Host,
    input: Vec<u8>,
    output: String,
}

thread_local! {
    static INSTANCE: RefCell<Instance> = RefCell::default();
}

/// Room for an input of `length` bytes; valid until the next call of this function.
#[expect(unsafe_code, reason = "a name for the module's export; no memory is touched")]
#[unsafe(no_mangle)]
extern "C" fn loquat_input(length: usize) -> *mut u8 {
    INSTANCE.with_borrow_mut(|instance| {
        instance.input.clear();
        instance.input.resize(length, 0);
        instance.input.as_mut_ptr()
    })
}

/// Takes the input in; returns the length of the output.
#[expect(unsafe_code, reason = "a name for the module's export; no memory is touched")]
#[unsafe(no_mangle)]
extern "C" fn loquat_call() -> usize {
    INSTANCE.with_borrow_mut(|instance| {
        let input = String::from_utf8_lossy(&instance.input);
        instance.output = instance.host.call(&input);
        instance.output.len()
    })
}

/// Where the output is; valid until the next call of [`loquat_call`].
#[expect(unsafe_code, reason = "a name for the module's export; no memory is touched")]
#[unsafe(no_mangle)]
extern "C" fn loquat_output() -> *const u8 {
    INSTANCE.with_borrow(|instance| instance.output.as_ptr())
}
