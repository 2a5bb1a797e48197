//! Rows as commands print them, with their columns under each other.

/// Rows with their columns under each other; nothing is behind the last.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [["NAME", "ROLE"], ["a-long-name", "viewer"], ["b", "admin"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "NAME         ROLE\na-long-name  viewer\nb            admin\n");
    }
}
