"""Bad and hostile submissions, in a class with honest ones between them."""
