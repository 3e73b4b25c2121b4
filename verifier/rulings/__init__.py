"""What auditors ruled on readings that had been set aside: released into the evidence, or confirmed to stay out."""
