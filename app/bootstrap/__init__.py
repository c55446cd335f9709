"""The composition root: settings become values, adapters and servers, in lexical lifetimes."""
