"""How much memory ``deflow degrade`` takes for large photographs and many versions of them."""
