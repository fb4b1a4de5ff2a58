//! How sets of kernel flags are declared.

/// Declares a set of kernel flags that keeps the bits it has no name for.
macro_rules! bits {
    (
        $(#[$doc:meta])* $name:ident($int:ty), prefix $prefix:literal;
        $( $(#[$const_doc:meta])* $const:ident = $value:ident ),* $(,)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
        #[repr(transparent)]
        pub struct $name($int);

        impl $name {
            $(
                $(#[$const_doc])*
                pub const $const: Self = Self(uring_sys::$value as $int);
            )*

            /// Each named bit with its name.
            pub const NAMES: &'static [(Self, &'static str)] = &[$((Self::$const, stringify!($const))),*];

            /// Takes any bits, named or not.
            #[must_use]
            #[inline]
            pub const fn from_bits_retain(bits: $int) -> Self {
                Self(bits)
            }

            /// No bit at all.
            #[must_use]
            #[inline]
            pub const fn empty() -> Self {
                Self(0)
            }

            /// The bits as the kernel has them.
            #[must_use]
            #[inline]
            pub const fn bits(self) -> $int {
                self.0
            }

            /// Whether every bit of `other` is set.
            #[must_use]
            #[inline]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any bit of `other` is set.
            #[must_use]
            #[inline]
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// The bits of both.
            #[must_use]
            #[inline]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;

            #[inline]
            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }

        impl std::ops::BitOrAssign for $name {
            #[inline]
            fn bitor_assign(&mut self, other: Self) {
                *self = self.union(other);
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "*({:#x}"), self.0)?;
                let names = Self::NAMES.iter().filter(|(bit, _)| self.contains(*bit));
                for (index, (_, name)) in names.enumerate() {
                    write!(f, "{}{name}", if index == 0 { " = " } else { " | " })?;
                }
                f.write_str(")")
            }
        }
    };
}

pub(crate) use bits;
