"""Documents in, passages out: loading, chunking, embedding, indexing and searching."""
