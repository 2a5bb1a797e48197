//! What is due when, who is answered, and which gates stay open.
