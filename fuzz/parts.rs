//! An input that stands for several values: lines, and numbers in front of them.

/// What is left of an input.
pub struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    /// The whole input.
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// One of `choices`, by the next byte.
    pub fn choose<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        choices.get(usize::from(*first) % choices.len()).copied()
    }

    /// The bytes up to the next end of a line, or to the end.
    pub fn line(&mut self) -> &'a [u8] {
        let mut lines = self.0.splitn(2, |byte| *byte == b'\n');
        let line = lines.next().unwrap_or_default();
        self.0 = lines.next().unwrap_or_default();
        line
    }

    /// Everything else.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}
