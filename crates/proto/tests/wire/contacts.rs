use loquat_proto::contact::RequestContact;
use loquat_proto::{Block, Contact, ContactAnswer, ContactRequest, ContactStatus, Direction};

use crate::accounts::profile;
use crate::common::{NOW, ada, snapshots};

fn request(direction: Direction) -> ContactRequest {
    ContactRequest { user: ada(), profile: profile(), direction, created_at: NOW }
}

snapshots! {
    a_contact: Contact { user: ada(), profile: profile(), created_at: NOW };
    a_request_received: request(Direction::In);
    a_request_made: request(Direction::Out);
    a_block: Block { user: ada(), profile: profile(), created_at: NOW };
    request_contact: RequestContact { user: ada() };
    contact_pending: ContactAnswer { user: ada(), status: ContactStatus::Pending, created_at: NOW };
    contact_accepted: ContactAnswer { user: ada(), status: ContactStatus::Accepted, created_at: NOW };
}
