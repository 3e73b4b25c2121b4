"""Names of the gRPC door's services, and what is said to who may not. No gRPC here."""

INGEST = "phusong.v1.Ingest"
ENFORCEMENT = "phusong.v1.Enforcement"
RESERVATIONS = "phusong.v1.Reservations"
# Where a credential is asked for.
GUARDED = tuple(f"/{name}/" for name in (INGEST, ENFORCEMENT, RESERVATIONS))

NOT_YOUR_SOURCE = "volume is reserved by a registered source, in its own name"
NOT_YOURS = "only the decisions of the operator of your credential can be watched and acknowledged"

# What is still on its way when the door closes is given this long.
GRACE_S = 5.0
