//! When each device must be looked at: the earliest moment on the arrival clock at which its silence closes a window or its
//! memory ends.
//!
//! A binary heap that knows where each device stands, so that there is at most one entry a device. An alarm that
//! moves later stays where it is and is set right when it rings: in a live stream, where each reading puts the silence
//! off, the heap is hardly ever touched.

use types::Micros;

use crate::interner::NONE;

#[derive(Debug, Default)]
pub(crate) struct Alarms {
    heap: Vec<Alarm>,
}

#[derive(Debug, Clone, Copy)]
struct Alarm {
    at: Micros,
    device: u32,
}

/// A device's place in the heap, kept in the device.
pub(crate) trait Places {
    fn place(&mut self, device: u32) -> &mut u32;
}

impl Alarms {
    /// The device whose alarm rings first, if that is at `now` or before.
    #[inline]
    pub(crate) fn ringing(&self, now: Micros) -> Option<u32> {
        self.heap.first().filter(|alarm| alarm.at <= now).map(|alarm| alarm.device)
    }

    /// Sets the device's only alarm, sooner or later than before.
    pub(crate) fn set(&mut self, device: u32, at: Micros, places: &mut impl Places) {
        let place = *places.place(device);
        let alarm = Alarm { at, device };
        if place == NONE {
            self.heap.push(alarm);
            self.rise(self.heap.len() - 1, places);
        } else {
            let place = place as usize;
            let before = std::mem::replace(&mut self.heap[place], alarm).at;
            if at < before { self.rise(place, places) } else { self.sink(place, places) }
        }
    }

    pub(crate) fn remove(&mut self, device: u32, places: &mut impl Places) {
        let place = std::mem::replace(places.place(device), NONE);
        if place == NONE {
            return;
        }
        let place = place as usize;
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            *places.place(self.heap[place].device) = place as u32;
            self.rise(place, places);
            self.sink(place, places);
        }
    }

    fn rise(&mut self, mut place: usize, places: &mut impl Places) {
        let alarm = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].at <= alarm.at {
                break;
            }
            self.put(place, self.heap[parent], places);
            place = parent;
        }
        self.put(place, alarm, places);
    }

    fn sink(&mut self, mut place: usize, places: &mut impl Places) {
        let alarm = self.heap[place];
        loop {
            let mut child = 2 * place + 1;
            if child >= self.heap.len() {
                break;
            }
            if child + 1 < self.heap.len() && self.heap[child + 1].at < self.heap[child].at {
                child += 1;
            }
            if self.heap[child].at >= alarm.at {
                break;
            }
            self.put(place, self.heap[child], places);
            place = child;
        }
        self.put(place, alarm, places);
    }

    fn put(&mut self, place: usize, alarm: Alarm, places: &mut impl Places) {
        self.heap[place] = alarm;
        // Device indices are u32, and there is one entry a device.
        *places.place(alarm.device) = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Places for Vec<u32> {
        fn place(&mut self, device: u32) -> &mut u32 {
            &mut self[device as usize]
        }
    }

    proptest! {
        #[test]
        fn alarms_ring_in_order_once_a_device(changes in prop::collection::vec((0..20u32, prop::option::of(0..100i64)), 0..200)) {
            let (mut alarms, mut places, mut expected) = (Alarms::default(), vec![NONE; 20], [None; 20]);
            for (device, at) in changes {
                expected[device as usize] = at;
                match at {
                    Some(at) => alarms.set(device, at, &mut places),
                    None => alarms.remove(device, &mut places),
                }
            }
            let mut rung = Vec::new();
            while let Some(device) = alarms.ringing(1000) {
                rung.push(expected[device as usize].expect("an alarm"));
                prop_assert_eq!(alarms.ringing(rung[rung.len() - 1] - 1), None);
                alarms.remove(device, &mut places);
            }
            prop_assert!(rung.is_sorted());
            prop_assert_eq!(rung.len(), expected.iter().flatten().count());
            prop_assert!(places.iter().all(|place| *place == NONE));
        }
    }
}
