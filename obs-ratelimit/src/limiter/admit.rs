use http::{HeaderMap, request};
use obs_core::admit::{Admission, Admit, Permit};

use super::{Decision, Limiter};

impl Admit for Limiter {
    fn admit(&self, request: &request::Parts) -> Admission {
        let report = self.0.headers.on_success();
        match self.decide(request, report) {
            Decision::Denied(denied) => Admission::Refused(Box::new(self.refusal(&denied))),
            Decision::Passed(passed) => {
                let mut permit = Permit::new();
                if let Some(reservation) = passed.reservation {
                    permit = permit.settled_by(reservation);
                }
                if report {
                    let mut headers = HeaderMap::new();
                    self.write_headers(&mut headers, &passed.reports);
                    permit = permit.with_headers(headers);
                }
                Admission::Admitted(permit)
            }
        }
    }
}
