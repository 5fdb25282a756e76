"""Everything that degrades images."""
