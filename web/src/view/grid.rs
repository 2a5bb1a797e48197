//! The rows of a map: sixteen cells each, and eight on a narrow screen. What must not live here: what a cell is (`map`, `heat`).

/// Cells a row, and on a narrow screen.
const ROW: usize = 16;
const HALF: usize = 8;

/// Sixteen cells, or what there is.
#[derive(Debug, Clone)]
pub struct Row<C> {
    pub(crate) label: String,
    /// The label of the second half, which is a row of its own on a narrow screen.
    pub(crate) half: Option<String>,
    pub(crate) cells: Vec<C>,
}

/// Cells by row; `label` says what the cell at a place is called at the head of a row.
pub fn rows<C: Clone>(cells: &[C], label: impl Fn(usize) -> String) -> Vec<Row<C>> {
    let row = |(at, cells): (usize, &[C])| Row {
        label: label(at * ROW),
        half: (cells.len() > HALF).then(|| label(at * ROW + HALF)),
        cells: cells.to_vec(),
    };
    cells.chunks(ROW).enumerate().map(row).collect()
}

/// The heads of the columns of so many cells.
pub fn columns(cells: usize) -> Vec<String> {
    (0..cells.min(ROW)).map(|at| format!("+{at}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_row_has_no_second_half() {
        let cells: Vec<usize> = (0..20).collect();
        let rows = rows(&cells, |at| format!(".{at}"));
        let told: Vec<_> = rows.iter().map(|row| (row.label.as_str(), row.half.as_deref(), row.cells.len())).collect();
        assert_eq!(told, [(".0", Some(".8"), 16), (".16", None, 4)]);
        assert_eq!((columns(20).len(), columns(3)), (16, vec!["+0".to_owned(), "+1".to_owned(), "+2".to_owned()]));
    }
}
