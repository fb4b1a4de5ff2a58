//! What a ring, or the kernel, is told by a call.

mod capabilities;
mod clock;
mod filter;
mod message;
mod napi;
mod regions;
mod resize;
mod resize_refusals;
mod waits;
mod zcrx;
